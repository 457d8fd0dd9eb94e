select
    'razorpay/' || event.lender || '/' || event.event_key || '/' || event.body_sha256 as event,
    'razorpay' as gateway,
    event.lender,
    event.event_type,
    event.event_key,
    event.verdict,
    event.stale,
    event.conflicting,
    event.received_at
from raw.raw_razorpay_api as event
union all
select
    'cashfree/' || event.lender || '/' || event.event_key || '/' || event.body_sha256 as event,
    'cashfree' as gateway,
    event.lender,
    event.event_type,
    event.event_key,
    event.verdict,
    event.stale,
    event.conflicting,
    event.received_at
from raw.raw_cashfree_api as event
