-- Open links that were not heard of for a while, those past their expiry first; and once more, some time after their end,
-- links that ended unpaid: money may have been under way.
with candidate as (
    select
        link.link_id,
        1 as turn
    from core.core_payment_link as link
    where
        link.lender = %(lender)s
        and link.gateway = %(gateway)s
        and link.state in ('open', 'partly_paid', 'cancelling')
        and (
            coalesce(link.polled_at, link.sent_at) <= clock_timestamp() - %(every)s
            or (link.expires_at < clock_timestamp() and coalesce(link.polled_at, link.sent_at) < link.expires_at)
        )
    union all
    select
        link.link_id,
        2 as turn
    from core.core_payment_link as link
    where
        link.lender = %(lender)s
        and link.gateway = %(gateway)s
        and link.state in ('expired', 'cancelled')
        and link.ended_at between clock_timestamp() - interval '7 days' and clock_timestamp() - %(every)s
        and coalesce(link.polled_at, link.sent_at) < link.ended_at + %(every)s
)

select link.*
from candidate
inner join core.core_payment_link as link on candidate.link_id = link.link_id
order by
    candidate.turn,
    link.expires_at < clock_timestamp() desc,
    coalesce(link.polled_at, link.sent_at) asc
limit %(most)s
