-- Calls to Fineract in the last 15 minutes, of the last 20,000: the log's key is the only order that costs nothing.
with recent as (
    select
        newest.method,
        newest.outcome
    from (
        select
            log.method,
            log.outcome,
            log.called_at
        from raw.raw_fineract_api_log as log
        order by log.call_id desc
        limit 20000
    ) as newest
    where newest.called_at > now() - interval '15 minutes'
)

select
    recent.method,
    recent.outcome,
    count(*) as calls
from recent
group by recent.method, recent.outcome
