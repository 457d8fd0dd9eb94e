-- Ended without all of their money, after it was decided that another link takes their place.
select link.*
from core.core_payment_link as link
where
    link.lender = %(lender)s
    and link.gateway = %(gateway)s
    and link.awaits_requote
    and link.state in ('cancelled', 'expired', 'withdrawn')
order by link.link_id
