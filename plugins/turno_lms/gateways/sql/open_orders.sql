-- Orders whose payment was last heard of as open: a failed one may be captured after another try in the payer's app.
select told.gateway_order_id
from base.base_gateway_payment as told
where
    told.gateway = %(gateway)s
    and told.told_to = %(lender)s
    and told.payment_status in ('created', 'authorized', 'failed')
    and told.gateway_order_id is not null
    and told.first_seen_at > now() - interval '15 days'
group by told.gateway_order_id
order by max(told.first_seen_at) desc
limit %(most)s
