-- Payment by payment: what this system would post (or has posted) beside what the former one did. First by key, then, of
-- what is left, the n-th of a loan and amount here with the n-th there, when their dates are near.
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
),

by_key as (
    select
        here.lender,
        here.loan_id,
        here.amount,
        here.posting_key as key_here,
        there.posting_key as key_there,
        here.business_date as date_here,
        there.business_date as date_there,
        here.posting_block
    from here
    inner join there on here.posting_key = there.posting_key
),

left_here as (
    select
        here.*,
        row_number() over (
            partition by here.lender, here.loan_id, here.amount order by here.business_date, here.posting_key
        ) as position
    from here
    where not exists (select from by_key where by_key.key_here = here.posting_key)
),

left_there as (
    select
        there.*,
        row_number() over (
            partition by there.lender, there.loan_id, there.amount order by there.business_date, there.posting_key
        ) as position
    from there
    where not exists (select from by_key where by_key.key_there = there.posting_key)
),

paired as (
    select
        coalesce(left_here.lender, left_there.lender) as lender,
        coalesce(left_here.loan_id, left_there.loan_id) as loan_id,
        coalesce(left_here.amount, left_there.amount) as amount,
        left_here.posting_key as key_here,
        left_there.posting_key as key_there,
        left_here.business_date as date_here,
        left_there.business_date as date_there,
        left_here.posting_block
    from left_here
    full outer join left_there
        on
            left_here.lender = left_there.lender
            and left_here.loan_id = left_there.loan_id
            and left_here.amount = left_there.amount
            and left_here.position = left_there.position
            and left_here.business_date - left_there.business_date = any(
                array(select days.apart from generate_series(-%(days)s::integer, %(days)s::integer) as days (apart))
            )
),

judged as (
    select
        case
            when both_systems.key_here is null then 'only_there'
            when both_systems.key_there is null then 'only_here'
            when both_systems.posting_block is not null then 'held_here'
            when both_systems.date_here <> both_systems.date_there then 'other_day'
            else 'same'
        end as verdict,
        both_systems.*
    from (
        select * from by_key
        union all
        select * from paired
    ) as both_systems
    where coalesce(both_systems.date_there, both_systems.date_here) between %(first)s and %(last)s
)

select
    judged.verdict,
    judged.lender,
    judged.loan_id,
    judged.amount,
    judged.date_here,
    judged.date_there,
    judged.posting_block as held_by,
    judged.key_here,
    judged.key_there
from judged
-- what neither system posts is no difference
where not (judged.verdict = 'only_here' and judged.posting_block is not null)
order by judged.lender, judged.loan_id, coalesce(judged.date_there, judged.date_here), judged.verdict
