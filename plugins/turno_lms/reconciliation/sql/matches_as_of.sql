-- Matches that stood at a moment, by rule, with the rupees of the file's side.
with standing as (
    select match_group, rule, native_reference, side
    from core.core_recon_match
    where matched_at < %(moment)s
    union all
    select match_group, rule, native_reference, side
    from core.core_recon_match_undone
    where matched_at < %(moment)s and undone_at >= %(moment)s
)

select
    identity.lender,
    standing.rule,
    count(distinct standing.match_group) as matches,
    coalesce(sum(identity.amount) filter (where standing.side = 'file'), 0) as rupees
from standing
inner join core.core_payment_identity as identity on standing.native_reference = identity.native_reference
where %(lender)s::text is null or identity.lender = %(lender)s
group by identity.lender, standing.rule
order by identity.lender, standing.rule
