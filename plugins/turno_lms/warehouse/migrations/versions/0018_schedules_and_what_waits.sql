-- Counting what waits without reading what is over, and a loan's instalments as Fineract last told them.

create index core_recon_exception_open on core.core_recon_exception (kind, lender) include (amount, opened_at)
where state = 'open';
create index raw_rejected_records_waiting on raw.raw_rejected_records (lender) include (amount_paise, created_at)
where fate = 'open' and disposition = 'rejected';
create index raw_los_submission_reference on raw.raw_los_submission (reference);
create index core_los_processed_of_loan on core.core_los_processed (loan_id);

alter table raw.raw_fineract_loan_detail add column schedule jsonb;
comment on column raw.raw_fineract_loan_detail.schedule is
'Its instalments in the same answer, in rupees; null where it has none, or was stored before they were kept.';
