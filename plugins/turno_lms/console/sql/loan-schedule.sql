-- A loan's instalments as Fineract told them last, what each is today by that, and what was posted since.
with newest as (
    select
        detail.schedule,
        looked.looked_at,
        loan.loan_id
    from core.core_loan_master as loan
    inner join core.core_loan_look as looked on loan.fineract_loan_id = looked.fineract_loan_id
    inner join raw.raw_fineract_loan_detail as detail on loan.fineract_loan_id = detail.fineract_loan_id
    where loan.loan_id = %s
    order by detail.detail_id desc
    limit 1
)

select
    instalment.number,
    instalment.due_on,
    instalment.principal,
    instalment.interest,
    instalment.fees,
    instalment.principal + instalment.interest + instalment.fees as due,
    instalment.paid,
    instalment.forgiven,
    instalment.outstanding,
    instalment.met_on,
    case
        when instalment.outstanding > 0 and instalment.due_on < today.day
            then 'late by ' || today.day - instalment.due_on || case today.day - instalment.due_on when 1 then ' day' else ' days' end
        when instalment.outstanding > 0 and instalment.paid > 0 then 'partly paid'
        when instalment.outstanding > 0 and instalment.due_on = today.day then 'due today'
        when instalment.outstanding > 0 then 'not due yet'
        when instalment.forgiven > 0 and instalment.paid = 0 then 'forgiven'
        when instalment.met_on > instalment.due_on then 'paid late'
        when instalment.met_on < instalment.due_on then 'paid early'
        else 'paid'
    end as state,
    newest.looked_at,
    since.items as posted_since,
    since.rupees as rupees_since
from newest
cross join lateral jsonb_to_recordset(newest.schedule) as instalment (
    number integer,
    due_on date,
    principal numeric,
    interest numeric,
    fees numeric,
    paid numeric,
    forgiven numeric,
    outstanding numeric,
    met_on date
)
cross join lateral (
    select
        count(*) as items,
        sum(processed.amount) as rupees
    from core.core_transaction_data_processed as processed
    where
        processed.loan_id = newest.loan_id and processed.outcome = 'posted' and processed.processed_at > newest.looked_at
) as since
cross join (select (now() at time zone 'Asia/Kolkata')::date as day) as today
order by instalment.number
