-- What this system would post (or has posted) beside what the former one did, paired by key. The days around the asked
-- ones come too: a partner may be dated there.
with here as (
    select
        payment.posting_key,
        payment.lender,
        payment.loan_id,
        payment.business_date,
        payment.amount,
        payment.posting_block
    from core.core_transaction_data as payment
    where payment.business_date between %(first)s::date - %(days)s::integer and %(last)s::date + %(days)s::integer
),

there as (
    select
        former.posting_key,
        former.lender,
        former.loan_id,
        former.business_date,
        former.amount
    from raw.raw_former_posting as former
    where former.business_date between %(first)s::date - %(days)s::integer and %(last)s::date + %(days)s::integer
)

select
    coalesce(here.lender, there.lender) as lender,
    coalesce(here.loan_id, there.loan_id) as loan_id,
    coalesce(here.amount, there.amount) as amount,
    here.business_date as date_here,
    there.business_date as date_there,
    here.posting_block as held_by,
    here.posting_key as key_here,
    there.posting_key as key_there
from here
full outer join there on here.posting_key = there.posting_key
