-- The ways in which people look for a loan: by its client's name or phone, and all that hangs on it.

create index raw_fineract_loan_snapshot_client on raw.raw_fineract_loan_snapshot (lower(payload ->> 'clientName'));
create index raw_los_submission_client on raw.raw_los_submission ((payload ->> 'client_id'));
create index raw_los_submission_mobile on raw.raw_los_submission (
    right(regexp_replace(payload ->> 'mobile_no', '\D', '', 'g'), 10)
) where payload ->> 'mobile_no' is not null;
create index raw_umrn_master_loan on raw.raw_umrn_master (loan_id);
create index core_recon_exception_loan on core.core_recon_exception (loan_id);
