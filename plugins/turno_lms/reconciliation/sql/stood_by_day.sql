-- How payments stood at the last run of each day: rupees and payments that agree, whose other side is not due yet or that no
-- run has compared, that a person settled, and all others, which do not agree.
with stood as (
    select
        daily.day,
        case
            when daily.status in ('matched', 'resolved') then daily.status
            when daily.status in ('expected', 'pending') then 'expected'
            else 'mismatched'
        end as standing,
        daily.items,
        daily.rupees
    from core.core_recon_daily as daily
    where daily.measure = 'payment' and daily.day > %(last)s - %(days)s and daily.day <= %(last)s
)

select
    day,
    coalesce(sum(rupees) filter (where standing = 'matched'), 0.00) as matched,
    coalesce(sum(rupees) filter (where standing = 'expected'), 0.00) as expected,
    coalesce(sum(rupees) filter (where standing = 'mismatched'), 0.00) as mismatched,
    coalesce(sum(rupees) filter (where standing = 'resolved'), 0.00) as resolved,
    coalesce(sum(items) filter (where standing = 'mismatched'), 0) as payments_mismatched
from stood
group by day
order by day
