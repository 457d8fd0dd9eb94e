-- Ids by filter, the most rupees first: what a bulk action takes, and what a list shows.
select standing.*
from core.core_recon_exception_standing as standing
where
    (%(ids)s::bigint[] is null or standing.exception_id = any(%(ids)s))
    and (%(lender)s::text is null or standing.lender = %(lender)s)
    and (%(kind)s::text is null or standing.kind = %(kind)s)
    and (%(life)s::text is null or standing.life = %(life)s)
    and (%(owner)s::text is null or standing.owner = %(owner)s)
    and (%(class)s::text is null or standing.class = %(class)s)
    and (%(loan_id)s::text is null or standing.loan_id = %(loan_id)s)
    and (not %(only_open)s or standing.state = 'open')
    and (not %(only_overdue)s or standing.is_overdue)
    and standing.age_days >= %(min_age_days)s
    and (%(min_rupees)s::numeric is null or abs(standing.amount) >= %(min_rupees)s)
order by abs(standing.amount) desc nulls last, standing.exception_id
limit %(limit)s
