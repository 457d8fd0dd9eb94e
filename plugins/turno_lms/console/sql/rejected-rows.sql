select
    reject.reject_id,
    reject.lender,
    log.key,
    regexp_replace(log.key, '^.*/', '') as name,
    reject.row_number,
    reject.disposition,
    reject.reason_code,
    reject.field,
    reject.message,
    reject.amount_paise / 100.0::numeric as rupees,
    reject.fate,
    reject.raw_text,
    reject.corrected_text,
    reject.rule,
    reject.fate_by,
    reject.fate_at,
    reject.fate_reason,
    reject.file_id,
    reject.created_at
from raw.raw_rejected_records as reject
inner join raw.raw_s3_file_processing_log as log on reject.file_id = log.file_id
