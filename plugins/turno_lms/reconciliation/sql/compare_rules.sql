-- Where the outcomes of two sets of rules differ, by lender and rule or kind.
with counted as (
    select
        outcome.lender,
        outcome.name,
        count(*) filter (where outcome.trial = 'before') as items_before,
        count(*) filter (where outcome.trial = 'after') as items_after,
        coalesce(sum(outcome.amount) filter (where outcome.trial = 'before'), 0.00) as rupees_before,
        coalesce(sum(outcome.amount) filter (where outcome.trial = 'after'), 0.00) as rupees_after
    from rule_outcome as outcome
    group by outcome.lender, outcome.name
)

select *
from counted
where (items_before, rupees_before) is distinct from (items_after, rupees_after)
order by lender, name
