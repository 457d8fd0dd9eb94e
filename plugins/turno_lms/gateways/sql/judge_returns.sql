-- Payments of which something went back, under the key that stands for their money, and what a person must know. While
-- an intent is open nothing is asked: it will end as posted or as withdrawn.
create temporary table payment_returned as
with member as (
    select
        coalesce(decision.linked_posting_key, identity.posting_key) as posting_key,
        max(told.amount_returned) as amount_returned,
        jsonb_agg(told.gateway_payment_reference order by told.gateway_payment_reference) as gateway_payments
    from base.base_gateway_payment as told
    inner join core.core_payment_identity as identity on told.gateway_payment_reference = identity.native_reference
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where told.payment_status in ('partially_refunded', 'refunded', 'charged_back')
    group by 1
),

judged as (
    select
        payment.posting_key,
        payment.lender,
        payment.loan_id,
        payment.business_date,
        payment.payment_status,
        coalesce(processed.amount, payment.amount) as amount,
        member.amount_returned,
        coalesce(processed.amount, payment.amount) - member.amount_returned as amount_left,
        member.gateway_payments,
        processed.fineract_transaction_id,
        processed.business_date as posted_date,
        case
            when processed.posting_key is not null then 'returned_after_posting'
            when
                payment.posting_block = 'not_collected'
                and pending.posting_key is null
                and member.amount_returned < payment.amount
                and reversal.posting_key is null
                then 'partly_returned'
        end as kind
    from member
    inner join core.core_transaction_data as payment on member.posting_key = payment.posting_key
    left join core.core_transaction_data_processed as processed
        on member.posting_key = processed.posting_key and processed.outcome = 'posted'
    left join core.core_fineract_pending_transactions as pending on member.posting_key = pending.posting_key
    -- a person has said already what is posted in its place
    left join core.core_reversal as reversal on member.posting_key = reversal.posting_key
)

select
    judged.kind,
    judged.posting_key,
    judged.lender,
    judged.loan_id,
    judged.amount_returned,
    -- rupees as text: jsonb would keep them, its readers might not
    jsonb_build_object(
        'payment_status', judged.payment_status,
        'amount', judged.amount::text,
        'amount_returned', judged.amount_returned::text,
        'gateway_payments', judged.gateway_payments,
        'reverse', case
            when judged.kind = 'returned_after_posting'
                then
                    jsonb_build_object(
                        'fineract_transaction_id', judged.fineract_transaction_id,
                        'transaction_date', judged.posted_date,
                        'amount', judged.amount::text
                    )
        end,
        'post_instead', case
            when judged.amount_left > 0
                then
                    jsonb_build_object(
                        'business_date', coalesce(judged.posted_date, judged.business_date),
                        'amount', judged.amount_left::text
                    )
        end
    ) as detail
from judged
where judged.kind is not null
