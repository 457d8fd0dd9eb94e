-- loans by their id, a mandate, the client's name or phone: one text, compared as a whole with each
with asked as (select %s::text as typed)

select loan.loan_id
from asked
inner join core.core_loan_master as loan on upper(asked.typed) = loan.loan_id
union
select mandate.loan_id
from asked
inner join raw.raw_umrn_master as mandate on upper(asked.typed) = mandate.umrn
union
select loan.loan_id
from asked
inner join raw.raw_fineract_loan_snapshot as snapshot on lower(asked.typed) = lower(snapshot.payload ->> 'clientName')
inner join core.core_loan_master as loan on snapshot.fineract_loan_id = loan.fineract_loan_id
union
select loan.loan_id
from asked
inner join raw.raw_los_submission as submission
    on
        right(regexp_replace(asked.typed, '\D', '', 'g'), 10)
        = right(regexp_replace(submission.payload ->> 'mobile_no', '\D', '', 'g'), 10)
        and submission.payload ->> 'mobile_no' is not null
inner join core.core_loan_master as loan on submission.payload ->> 'client_id' = loan.client_external_id
