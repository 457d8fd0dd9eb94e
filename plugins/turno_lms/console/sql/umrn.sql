select
    mandate.umrn || ' ' || mandate.valid_from as mandate,
    mandate.umrn,
    mandate.loan_id,
    mandate.lender,
    mandate.valid_from,
    mandate.valid_to,
    mandate.loaded_at,
    mandate.loaded_by_run,
    log.key
from raw.raw_umrn_master as mandate
left join raw.raw_s3_file_processing_log as log on mandate.file_id = log.file_id
