-- Accounts with links that are planned, out or to be quoted anew.
select distinct
    link.lender,
    link.gateway
from core.core_payment_link as link
where link.state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling') or link.awaits_requote
order by link.lender, link.gateway
