-- Channels have an order, the posting channel first, so that the result does not hang on the order of arrival.
insert into new_sighting
select
    sighting.native_reference,
    sighting.native_reference as unit,
    sighting.channel,
    channel.channel_order,
    sighting.stream,
    channel.is_posting_channel,
    sighting.lender,
    sighting.loan_id,
    sighting.business_date,
    sighting.amount,
    sighting.source_key,
    sighting.gateway_payment_reference,
    sighting.bank_reference
from sighting_read as sighting
inner join (
    select
        stream.lender,
        stream.channel,
        stream.is_posting_channel,
        row_number() over (
            partition by stream.lender, stream.stream order by stream.is_posting_channel desc, stream.channel
        ) as channel_order
    from core.core_lender_stream as stream
) as channel on sighting.lender = channel.lender and sighting.channel = channel.channel
where sighting.frozen_posting_key is null and sighting.resolution_error is null
