-- Tokens that collected payments name their mandate by and whose UMRN no event gave, with the customer they belong to.
select distinct on (told.loan_reference)
    told.loan_reference as token_id,
    landed.payload #>> '{payload,payment,entity,customer_id}' as customer_id
from base.base_gateway_payment as payment
inner join base.base_razorpay_event as told
    on
        payment.gateway_payment_reference = told.gateway_payment_reference
        and told.reference_resolves = 'token'
        and told.lender = %(lender)s
inner join raw.raw_razorpay_api as landed
    on
        told.lender = landed.lender
        and told.event_key = landed.event_key
        and told.body_sha256 = landed.body_sha256
where
    payment.reference_error = 'umrn_unknown'
    and landed.payload #>> '{payload,payment,entity,customer_id}' is not null
    and not exists (
        select 1 from base.base_razorpay_event as token
        where token.token_id = told.loan_reference and token.token_umrn is not null
    )
order by told.loan_reference asc, customer_id asc
limit %(most)s
