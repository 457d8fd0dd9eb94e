-- How the console's pages order and look up what there may be a million of.

create index raw_razorpay_api_received on raw.raw_razorpay_api (received_at);
create index raw_cashfree_api_received on raw.raw_cashfree_api (received_at);
create index raw_los_submission_received on raw.raw_los_submission (received_at);
create index raw_fineract_api_log_idempotency_key on raw.raw_fineract_api_log (idempotency_key)
where idempotency_key is not null;
create index core_payment_identity_loan on core.core_payment_identity (loan_id, business_date);
create index core_fineract_transaction_archive_loan on core.core_fineract_transaction_archive (loan_id);
create index core_fineract_transaction_archive_ended on core.core_fineract_transaction_archive (ended_at);
