-- What rules R4 to R9 make of the last run's open work, one row per pair, group (by its rows of the file) and payment left.
insert into rule_outcome
select %(trial)s, near.lender, near.rule, near.amount
from near_now as near
where near.is_accepted
union all
select %(trial)s, member.lender, 'group_sum', member.amount
from group_now as member
where member.is_accepted and member.side = 'file'
union all
select %(trial)s, member.lender, 'group_subset', member.amount
from group_now as member
inner join group_member as split on member.native_reference = split.native_reference
where member.side = 'file'
union all
select %(trial)s, left_over.lender, left_over.kind, left_over.amount
from left_over_named as left_over
