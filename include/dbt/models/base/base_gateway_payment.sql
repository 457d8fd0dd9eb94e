{{
    config(
        unique_key="gateway_payment_reference",
        indexes=[
            {"columns": ["_txid"]},
            {"columns": ["_read_horizon"]},
        ],
    )
}}

with touched as (
    select event.gateway_payment_reference
    from {{ ref('base_razorpay_event') }} as event
    {% if is_incremental() %}where event.{{ touched_since() }}{% endif %}
    union
    select event.gateway_payment_reference
    from {{ ref('base_cashfree_event') }} as event
    {% if is_incremental() %}
    where event.{{ touched_since() }}
    {% for gateway_event in [ref('base_razorpay_event'), ref('base_cashfree_event')] -%}
    union
    select event.gateway_payment_reference
    from {{ gateway_event }} as event
    inner join ({{ changed_subjects(['umrn']) }}) as changed on event.loan_reference = changed.subject
    {% endfor -%}
    {% endif %}
),

event as (
    {% for gateway_event in [ref('base_razorpay_event'), ref('base_cashfree_event')] -%}
    select
        told.gateway_payment_reference,
        told.gateway,
        told.lender,
        told.event_key,
        told.body_sha256,
        told.event_role,
        told.payment_status,
        {{ payment_status_rank('told.payment_status') }} as status_rank,
        told.amount,
        told.amount_refunded,
        told.currency,
        told.paid_at,
        told.detail,
        told.bank_reference,
        told.refund_id,
        told.refund_amount,
        told.is_refund_failed,
        told.is_dispute_lost,
        told.loan_reference,
        told.reference_resolves,
        told.reference_precedence,
        told.received_at
    from {{ gateway_event }} as told
    inner join touched on told.gateway_payment_reference = touched.gateway_payment_reference
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- The events of one payment, best first, in an order that does not depend on their arrival.
ranked as (
    select
        event.*,
        row_number() over (
            partition by event.gateway_payment_reference
            order by event.status_rank desc nulls last, event.detail, event.paid_at, event.lender, event.event_key, event.body_sha256
        ) as nth
    from event
    where event.event_role = 'payment'
),

payment as (
    select
        ranked.gateway_payment_reference,
        min(ranked.gateway) as gateway,
        min(ranked.lender) as told_to,
        max(ranked.payment_status) filter (where ranked.nth = 1) as payment_status,
        max(ranked.amount) filter (where ranked.nth = 1) as amount,
        max(ranked.currency) filter (where ranked.nth = 1) as currency,
        max(ranked.paid_at) filter (where ranked.nth = 1) as paid_at,
        max(ranked.amount_refunded) as amount_refunded,
        (array_agg(ranked.bank_reference order by ranked.nth) filter (where ranked.bank_reference is not null))[1]
            as bank_reference,
        count(*)::integer as events,
        min(ranked.received_at) as first_seen_at
    from ranked
    group by ranked.gateway_payment_reference
),

refunds as (
    select
        refund.gateway_payment_reference,
        sum(refund.amount) filter (where not refund.is_failed) as amount
    from (
        select
            event.gateway_payment_reference,
            event.refund_id,
            max(event.refund_amount) as amount,
            bool_or(event.is_refund_failed) as is_failed
        from event
        where event.event_role = 'refund'
        group by event.gateway_payment_reference, event.refund_id
    ) as refund
    group by refund.gateway_payment_reference
),

disputes as (
    select event.gateway_payment_reference
    from event
    where event.is_dispute_lost
    group by event.gateway_payment_reference
),

-- What each lender's rules found, by their precedence; several URLs may have been told of one payment.
named as (
    select
        ranked.gateway_payment_reference,
        ranked.reference_resolves,
        ranked.loan_reference,
        rank() over (
            partition by ranked.gateway_payment_reference, ranked.lender order by ranked.reference_precedence
        ) as precedence
    from ranked
    where ranked.loan_reference is not null
),

candidate as (
    select
        named.gateway_payment_reference,
        max(named.loan_reference) filter (where named.reference_resolves = 'umrn') as umrn,
        bool_or(mandate.loans > 1) as is_mandate_ambiguous,
        count(distinct stated.loan_id) as loans,
        min(stated.loan_id) as loan_id
    from named
    inner join payment on named.gateway_payment_reference = payment.gateway_payment_reference
    left join lateral (
        {{ loans_of_mandate('named.loan_reference', ist_date('payment.paid_at')) }}
    ) as mandate on named.reference_resolves = 'umrn'
    cross join lateral (
        select case named.reference_resolves when 'umrn' then mandate.loan_id else named.loan_reference end as loan_id
    ) as stated
    where named.precedence = 1
    group by named.gateway_payment_reference
),

money as (
    select
        payment.*,
        greatest(payment.amount_refunded, coalesce(refunds.amount, 0)) as refunded,
        disputes.gateway_payment_reference is not null as is_dispute_lost
    from payment
    left join refunds on payment.gateway_payment_reference = refunds.gateway_payment_reference
    left join disputes on payment.gateway_payment_reference = disputes.gateway_payment_reference
)

select
    money.gateway_payment_reference,
    money.gateway,
    money.told_to,
    case
        when coalesce(money.payment_status, 'unknown') not in ('captured', 'refunded') then money.payment_status
        when money.is_dispute_lost then 'charged_back'
        when money.payment_status = 'refunded' or money.refunded >= nullif(money.amount, 0) then 'refunded'
        when money.refunded > 0 then 'partially_refunded'
        else 'captured'
    end as payment_status,
    -- a mandate's registration is reported as a captured payment of nothing
    coalesce(money.payment_status in ('captured', 'refunded') and coalesce(money.amount, 1) > 0, false) as is_collection,
    money.amount::numeric(18, 2) as amount,
    money.refunded::numeric(18, 2) as amount_refunded,
    money.currency,
    money.paid_at,
    {{ ist_date('money.paid_at') }} as business_date,
    money.bank_reference,
    candidate.umrn,
    case when candidate.loans = 1 and not coalesce(candidate.is_mandate_ambiguous, false) then candidate.loan_id end as loan_id,
    case
        when money.amount is null or money.paid_at is null or money.currency is distinct from 'INR' then 'unparsed_reference'
        when candidate.loans is null then 'unparsed_reference'
        when candidate.loans > 1 or candidate.is_mandate_ambiguous then 'ambiguous_loan'
        when candidate.loans = 0 then 'umrn_unknown'
    end as reference_error,
    money.events,
    money.first_seen_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from money
left join candidate on money.gateway_payment_reference = candidate.gateway_payment_reference
