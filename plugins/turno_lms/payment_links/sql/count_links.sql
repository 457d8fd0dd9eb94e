select
    link.lender,
    link.state,
    count(*)::integer as links,
    sum(link.amount) as rupees,
    sum(link.amount_paid) as paid
from core.core_payment_link as link
group by link.lender, link.state
order by link.lender, link.state
