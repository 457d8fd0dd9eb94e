-- The links that the borrowers can pay now.
select
    count(*) as items,
    coalesce(sum(link.amount - link.amount_paid), 0) as rupees
from core.core_payment_link as link
where link.state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling')
