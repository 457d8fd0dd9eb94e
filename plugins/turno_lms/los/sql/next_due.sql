-- Seconds until something of these subjects is to be tried that is not merely waiting for others; null if nothing is.
select extract(epoch from min(processed.next_try_at) - clock_timestamp()) as seconds
from core.core_los_processed as processed
where
    processed.subject = any(%(subjects)s)
    and (processed.state in ('queued', 'in_flight', 'unknown') or processed.reason = 'fineract_busy')
