-- Refunds that no event has told of in the state they are in. One that landed since the last build is not landed twice:
-- its key says its state.
select given.refund_id
from unnest(%(refund_ids)s::text[], %(payment_ids)s::text[], %(failed)s::boolean[])
    as given (refund_id, payment_id, is_failed)
where
    not exists (
        select 1 from {event} as told
        where
            told.gateway_payment_reference = %(gateway)s || ':' || given.payment_id
            and told.event_role = 'refund'
            and told.refund_id = given.refund_id
            and told.is_refund_failed = given.is_failed
    )
