-- Open links that were not heard of for a while, those past their expiry first.
select link.*
from core.core_payment_link as link
where
    link.lender = %(lender)s
    and link.gateway = %(gateway)s
    and link.state in ('open', 'partly_paid', 'cancelling')
    and (
        coalesce(link.polled_at, link.sent_at) <= clock_timestamp() - %(every)s
        or (link.expires_at < clock_timestamp() and coalesce(link.polled_at, link.sent_at) < link.expires_at)
    )
order by link.expires_at < clock_timestamp() desc, coalesce(link.polled_at, link.sent_at) asc
limit %(most)s
