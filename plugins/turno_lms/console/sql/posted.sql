select
    archive.archive_id,
    archive.posting_key,
    archive.lender,
    archive.loan_id,
    archive.business_date,
    archive.amount,
    archive.outcome,
    archive.kind,
    archive.fineract_transaction_id,
    archive.tries,
    archive.status_code,
    archive.error_code,
    archive.error_message,
    archive.ended_at,
    archive.ended_by,
    archive.ended_by_run
from core.core_fineract_transaction_archive as archive
