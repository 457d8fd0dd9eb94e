-- How all operations stand: by operation, state and reason, with the age of the oldest.
select
    operation,
    state,
    reason,
    count(*)::integer as submissions,
    (extract(epoch from now() - min(coalesce(waiting_since, changed_at))) / 3600)::numeric(10, 1) as oldest_hours
from core.core_los_processed
group by operation, state, reason
order by operation, state, reason
