-- Links that refresh_payment_links found paid by asking, while no event told of the payment.
select link.reference
from core.core_payment_link_payment as paid
inner join core.core_payment_link as link on paid.link_id = link.link_id
left join base.base_gateway_payment as told on paid.gateway_payment_reference = told.gateway_payment_reference
where
    link.gateway = %(gateway)s
    and link.lender = %(lender)s
    and told.gateway_payment_reference is null
group by link.reference
order by max(paid.told_at) desc
limit %(most)s
