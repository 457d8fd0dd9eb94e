select
    link.link_id,
    link.state,
    link.amount,
    link.amount_paid
from core.core_payment_link as link
where link.reference = %(reference)s
for update
