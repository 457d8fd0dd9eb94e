select exception.kind, exception.state, exception.detail::text as detail, exception.close_reason
from core.core_recon_exception as exception
where exception.subject = %(key)s
order by exception.exception_id
