-- What each channel of a lender reported on a day (IST), against the median of the fourteen days before. A channel that
-- reported on most of them and said nothing is stale; less than half or more than twice the usual is unusual.
with counted as (
    select
        sighting.lender,
        sighting.channel,
        (sighting.seen_at at time zone 'Asia/Kolkata')::date as day,
        count(*) as payments,
        sum(sighting.amount) as rupees
    from core.core_payment_sighting as sighting
    where
        sighting.seen_at >= (%(day)s::date - 14)::timestamp at time zone 'Asia/Kolkata'
        and sighting.seen_at < (%(day)s::date + 1)::timestamp at time zone 'Asia/Kolkata'
    group by sighting.lender, sighting.channel, (sighting.seen_at at time zone 'Asia/Kolkata')::date
),

usual as (
    select
        counted.lender,
        counted.channel,
        count(*) as days,
        percentile_disc(0.5) within group (order by counted.payments) as payments,
        percentile_disc(0.5) within group (order by counted.rupees) as rupees
    from counted
    where counted.day < %(day)s
    group by counted.lender, counted.channel
)

select
    usual.lender,
    usual.channel,
    case when said.payments is null then 'source_stale' else 'volume_anomaly' end as kind,
    coalesce(said.payments, 0) as payments,
    coalesce(said.rupees, 0) as rupees,
    usual.payments as usual_payments,
    usual.rupees as usual_rupees
from usual
left join counted as said
    on usual.lender = said.lender and usual.channel = said.channel and said.day = %(day)s
where
    usual.days >= 7
    and (
        said.payments is null
        or (
            usual.payments >= %(least_payments)s
            and (said.payments * 2 < usual.payments or said.payments > usual.payments * 2)
        )
    )
order by usual.lender, usual.channel
