select
    mandate.umrn,
    mandate.loan_id,
    mandate.lender,
    mandate.valid_from,
    mandate.valid_to,
    mandate.loaded_at,
    mandate.loaded_by_run
from raw.raw_umrn_master as mandate
where mandate.umrn = %s or mandate.loan_id = %s
order by mandate.valid_from desc, mandate.umrn
