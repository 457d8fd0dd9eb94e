{{
    config(
        unique_key="gateway_payment_reference",
        indexes=[
            {"columns": ["payment_status"]},
            {"columns": ["reference_error"]},
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
    union
    -- payments by a token of which something was told, or whose mandate changed
    select event.gateway_payment_reference
    from {{ ref('base_razorpay_event') }} as told
    inner join {{ ref('base_razorpay_event') }} as event on told.token_id = event.loan_reference
    where told.{{ touched_since() }}
    union
    select event.gateway_payment_reference
    from {{ ref('base_razorpay_event') }} as told
    inner join ({{ changed_subjects(['umrn']) }}) as changed on told.token_umrn = changed.subject
    inner join {{ ref('base_razorpay_event') }} as event on told.token_id = event.loan_reference
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
        told.fee,
        told.tax,
        told.gateway_order_id,
        told.paid_at,
        told.detail,
        told.bank_reference,
        told.refund_id,
        told.refund_amount,
        told.is_refund_failed,
        told.is_dispute_lost,
        told.dispute_amount,
        told.loan_reference,
        told.reference_resolves,
        told.reference_precedence,
        told.received_at
    from {{ gateway_event }} as told
    inner join touched on told.gateway_payment_reference = touched.gateway_payment_reference
    {{ "union all" if not loop.last }}
    {% endfor %}
),

-- The events of one payment, best first, in an order that does not depend on their arrival; what each lender's rules
-- found, best first (several URLs may have been told of one payment); and the events of each refund as one.
ranked as (
    select
        event.*,
        event.event_role = 'payment' as is_payment,
        row_number() over best_first as nth,
        first_value(event.paid_at) over best_first as payment_paid_at,
        rank() over (
            partition by
                event.gateway_payment_reference,
                event.event_role,
                event.lender,
                event.loan_reference is null
            order by event.reference_precedence
        ) as nth_reference,
        row_number() over (
            partition by event.gateway_payment_reference, event.event_role, event.refund_id order by event.event_key
        ) as nth_of_refund,
        bool_or(event.is_refund_failed) over (
            partition by event.gateway_payment_reference, event.event_role, event.refund_id
        ) as is_failed,
        max(event.refund_amount) over (
            partition by event.gateway_payment_reference, event.event_role, event.refund_id
        ) as refunded
    from event
    window best_first as (
        partition by event.gateway_payment_reference, event.event_role
        order by
            event.status_rank desc nulls last,
            event.detail asc,
            event.paid_at asc,
            event.lender asc,
            event.event_key asc,
            event.body_sha256 asc
    )
),

-- what the events of mandates say: a payment by NACH names its mandate by token only
token as (
    select
        told.token_id,
        count(distinct told.token_umrn) as umrns,
        min(told.token_umrn) as umrn
    from {{ ref('base_razorpay_event') }} as told
    where
        told.token_umrn is not null
        and exists (
            select 1 from event
            where event.reference_resolves = 'token' and event.loan_reference = told.token_id
        )
    group by told.token_id
),

mandated as (
    select
        ranked.*,
        ranked.reference_resolves in ('umrn', 'token') as is_by_mandate,
        coalesce(token.umrns > 1, false) as is_token_ambiguous,
        case
            when ranked.reference_resolves = 'umrn' then ranked.loan_reference
            when token.umrns = 1 then token.umrn
        end as umrn
    from ranked
    left join token on ranked.reference_resolves = 'token' and ranked.loan_reference = token.token_id
),

candidate as (
    select
        mandated.*,
        mandated.is_token_ambiguous or coalesce(mandate.loans > 1, false) as is_mandate_ambiguous,
        case when mandated.is_by_mandate then mandate.loan_id else mandated.loan_reference end as loan_id
    from mandated
    left join lateral (
        {{ loans_of_mandate('mandated.umrn', ist_date('mandated.payment_paid_at')) }}
    ) as mandate on mandated.is_by_mandate and mandated.nth_reference = 1
),

payment as (
    select
        candidate.gateway_payment_reference,
        min(candidate.gateway) as gateway,
        min(candidate.lender) filter (where candidate.is_payment) as told_to,
        max(candidate.payment_status) filter (where candidate.is_payment and candidate.nth = 1) as payment_status,
        max(candidate.amount) filter (where candidate.is_payment and candidate.nth = 1) as amount,
        max(candidate.currency) filter (where candidate.is_payment and candidate.nth = 1) as currency,
        max(candidate.payment_paid_at) filter (where candidate.is_payment) as paid_at,
        (array_agg(candidate.bank_reference order by candidate.nth)
        filter (where candidate.is_payment and candidate.bank_reference is not null))[1] as bank_reference,
        greatest(
            max(candidate.amount_refunded) filter (where candidate.is_payment),
            sum(candidate.refunded) filter (
                where candidate.event_role = 'refund' and candidate.nth_of_refund = 1 and not candidate.is_failed
            )
        ) as refunded,
        coalesce(bool_or(candidate.is_dispute_lost), false) as is_dispute_lost,
        max(candidate.dispute_amount) as charged_back,
        max(candidate.fee) as fee,
        max(candidate.tax) as tax,
        (array_agg(candidate.gateway_order_id order by candidate.nth)
        filter (where candidate.is_payment and candidate.gateway_order_id is not null))[1] as gateway_order_id,
        max(candidate.umrn) filter (where candidate.nth_reference = 1) as umrn,
        count(distinct candidate.loan_id) filter (where candidate.nth_reference = 1) as loans,
        min(candidate.loan_id) filter (where candidate.nth_reference = 1) as loan_id,
        bool_or(candidate.is_mandate_ambiguous) as is_mandate_ambiguous,
        bool_or(candidate.loan_reference is not null) as is_reference_found,
        count(*) filter (where candidate.is_payment)::integer as events,
        min(candidate.received_at) filter (where candidate.is_payment) as first_seen_at
    from candidate
    group by candidate.gateway_payment_reference
    having bool_or(candidate.is_payment)
)

select
    payment.gateway_payment_reference,
    payment.gateway,
    payment.told_to,
    case
        when coalesce(payment.payment_status, 'unknown') not in ('captured', 'refunded') then payment.payment_status
        when payment.is_dispute_lost then 'charged_back'
        when payment.payment_status = 'refunded' or payment.refunded >= nullif(payment.amount, 0) then 'refunded'
        when payment.refunded > 0 then 'partially_refunded'
        else 'captured'
    end as payment_status,
    -- a mandate's registration is reported as a captured payment of nothing
    coalesce(payment.payment_status in ('captured', 'refunded') and coalesce(payment.amount, 1) > 0, false)
        as is_collection,
    payment.amount::numeric(18, 2) as amount,
    payment.refunded::numeric(18, 2) as amount_refunded,
    -- a lost dispute takes what it names, and all where it names nothing; never more than there was
    least(
        payment.amount,
        coalesce(payment.refunded, 0)
        + case when payment.is_dispute_lost then coalesce(payment.charged_back, payment.amount) else 0 end
    )::numeric(18, 2) as amount_returned,
    payment.fee::numeric(18, 2) as fee,
    payment.tax::numeric(18, 2) as tax,
    payment.gateway_order_id,
    payment.currency,
    payment.paid_at,
    {{ ist_date('payment.paid_at') }} as business_date,
    payment.bank_reference,
    payment.umrn,
    case when payment.loans = 1 and not payment.is_mandate_ambiguous then payment.loan_id end as loan_id,
    case
        when payment.amount is null or payment.paid_at is null or payment.currency is distinct from 'INR'
            then 'unparsed_reference'
        when not payment.is_reference_found then 'unparsed_reference'
        when payment.loans > 1 or payment.is_mandate_ambiguous then 'ambiguous_loan'
        when payment.loans = 0 then 'umrn_unknown'
    end as reference_error,
    payment.events,
    payment.first_seen_at,
    {{ written_now() }} as _txid,
    {{ read_horizon() }} as _read_horizon
from payment
