select count(*)::integer as links
from core.core_payment_link as waiting
where waiting.lender = %(lender)s and waiting.gateway = %(gateway)s and waiting.state in ('planned', 'sending')
