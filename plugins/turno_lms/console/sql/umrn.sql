select
    mandate.umrn || ' ' || mandate.valid_from as mandate,
    mandate.umrn,
    mandate.loan_id,
    mandate.lender,
    case
        when mandate.valid_from > (now() at time zone 'Asia/Kolkata')::date then 'not yet'
        when mandate.valid_to < (now() at time zone 'Asia/Kolkata')::date then 'ended'
        else 'stands'
    end as standing,
    mandate.valid_from,
    mandate.valid_to,
    mandate.loaded_at,
    mandate.loaded_by_run,
    log.key
from raw.raw_umrn_master as mandate
left join raw.raw_s3_file_processing_log as log on mandate.file_id = log.file_id
