select landed.payload
from raw.raw_cashfree_api as landed
where
    landed._txid >= coalesce(
        (select reading.read_horizon from core.core_payment_link_reading as reading where reading.gateway = %(gateway)s), 0
    )
    and landed.event_type = 'PAYMENT_LINK_EVENT'
order by landed._txid, landed.received_at, landed.event_key
