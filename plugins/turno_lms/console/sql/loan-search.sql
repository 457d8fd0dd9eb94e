-- loans by their id, a mandate, the client's name or phone: one text, compared as a whole with each
select loan.loan_id
from core.core_loan_master as loan
where loan.loan_id = upper(%s)
union
select mandate.loan_id
from raw.raw_umrn_master as mandate
where mandate.umrn = upper(%s)
union
select loan.loan_id
from raw.raw_fineract_loan_snapshot as snapshot
inner join core.core_loan_master as loan on snapshot.fineract_loan_id = loan.fineract_loan_id
where lower(snapshot.payload ->> 'clientName') = lower(%s)
union
select loan.loan_id
from raw.raw_los_submission as submission
inner join core.core_loan_master as loan on submission.payload ->> 'client_id' = loan.client_external_id
where
    submission.payload ->> 'mobile_no' is not null
    and right(regexp_replace(submission.payload ->> 'mobile_no', '\D', '', 'g'), 10)
    = right(regexp_replace(%s, '\D', '', 'g'), 10)
