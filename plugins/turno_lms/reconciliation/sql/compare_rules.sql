-- What R8 matched after the models were built is left over in both, and left out.
with before as (
    select near.lender, near.rule as name, near.amount from core.core_recon_near as near where near.is_accepted
    union all
    select member.lender, 'group_sum', member.amount from core.core_recon_group as member
    where member.is_accepted and member.side = 'file'
    union all
    select left_over.lender, left_over.kind, left_over.amount from core.core_recon_left_over as left_over
    where not exists (select 1 from core.core_recon_match as known where known.posting_key = left_over.posting_key)
),

after as (
    select near.lender, near.rule as name, near.amount from tried_near as near where near.is_accepted
    union all
    select member.lender, 'group_sum', member.amount from tried_group as member
    where member.is_accepted and member.side = 'file'
    union all
    select left_over.lender, left_over.kind, left_over.amount from tried_left_over as left_over
    where not exists (select 1 from core.core_recon_match as known where known.posting_key = left_over.posting_key)
),

counted as (
    select
        lender,
        name,
        count(*) as items,
        sum(amount) as rupees
    from before
    group by lender, name
),

recounted as (
    select
        lender,
        name,
        count(*) as items,
        sum(amount) as rupees
    from after
    group by lender, name
)

select
    lender,
    name,
    coalesce(counted.items, 0) as items_before,
    coalesce(recounted.items, 0) as items_after,
    coalesce(counted.rupees, 0) as rupees_before,
    coalesce(recounted.rupees, 0) as rupees_after
from counted
full outer join recounted using (lender, name)
where (counted.items, counted.rupees) is distinct from (recounted.items, recounted.rupees)
order by lender, name
