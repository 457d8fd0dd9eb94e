-- How long Fineract took in the last 15 minutes, of the last 20,000 calls.
with recent as (
    select
        newest.method,
        newest.duration_ms
    from (
        select
            log.method,
            log.duration_ms,
            log.called_at
        from raw.raw_fineract_api_log as log
        order by log.call_id desc
        limit 20000
    ) as newest
    where newest.called_at > now() - interval '15 minutes'
),

measured as (
    select
        recent.method,
        percentile_disc(array[0.5, 0.95, 0.99]) within group (order by recent.duration_ms) as milliseconds
    from recent
    group by recent.method
)

select
    measured.method,
    quantile.name as quantile,
    measured.milliseconds[quantile.position] / 1000.0::numeric as seconds
from measured
cross join (values (1, '0.5'), (2, '0.95'), (3, '0.99')) as quantile (position, name)
