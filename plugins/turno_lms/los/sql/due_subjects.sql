-- The clients or loans with something to try now; those whose last call is unclear wait until it may be looked up.
select processed.subject
from core.core_los_processed as processed
where
    processed.state in ('queued', 'in_flight', 'waiting', 'unknown')
    and processed.subject like %(kind)s || ':%%'
    and (%(subjects)s::text [] is null or processed.subject = any(%(subjects)s))
group by processed.subject
having
    bool_or(processed.next_try_at <= clock_timestamp())
    and not bool_or(processed.state in ('in_flight', 'unknown') and processed.next_try_at > clock_timestamp())
order by min(processed.submitted_at), processed.subject
