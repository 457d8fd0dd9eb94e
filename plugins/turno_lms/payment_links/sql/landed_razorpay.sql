-- Events about links, the sweep's envelopes among them, in the order in which they landed.
select landed.payload
from raw.raw_razorpay_api as landed
where
    landed._txid >= coalesce(
        (select reading.read_horizon from core.core_payment_link_reading as reading where reading.gateway = %(gateway)s), 0
    )
    and landed.payload #> '{payload,payment_link,entity}' is not null
order by landed._txid, landed.received_at, landed.event_key
