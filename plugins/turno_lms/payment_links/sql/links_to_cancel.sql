select link.*
from core.core_payment_link as link
where link.lender = %(lender)s and link.gateway = %(gateway)s and link.state = 'cancelling'
order by link.link_id
