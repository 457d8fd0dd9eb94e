select
    link.link_id,
    link.reference,
    link.state,
    clock_timestamp() as looked_at
from core.core_payment_link as link
where link.link_id = any(%(ids)s)
order by link.link_id
for update
