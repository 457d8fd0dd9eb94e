{{ config(materialized="table", tags=["reconciliation_rest"]) }}

{#- A fee may be a paisa off for each of its two roundings. -#}
with finding as (
    select
        settled.*,
        case
            when not settled.is_known then 'settled_unknown_payment'
            when settled.amount <> settled.reported_amount then 'settled_amount_differs'
            when
                abs(settled.fee - settled.expected_fee) > 0.02 or abs(settled.tax - settled.expected_tax) > 0.01
                then 'fee_differs'
        end as kind
    from {{ ref('core_gateway_settlement_payment') }} as settled
)

select
    finding.kind,
    finding.gateway_payment_reference as subject,
    min(finding.lender) as lender,
    min(finding.loan_id) as loan_id,
    sum(
        case finding.kind
            when 'settled_unknown_payment' then finding.amount
            when 'settled_amount_differs' then finding.amount - finding.reported_amount
            else
                case
                    when abs(finding.fee - finding.expected_fee) > 0.02 then finding.fee - finding.expected_fee
                    else finding.tax - finding.expected_tax
                end
        end
    )::numeric(18, 2) as rupees,
    jsonb_agg(
        jsonb_strip_nulls(
            jsonb_build_object(
                'settlement_id', finding.settlement_id,
                'utr', finding.settlement_utr,
                'method', finding.method,
                'amount', finding.amount,
                'reported_amount', finding.reported_amount,
                'fee', finding.fee,
                'expected_fee', finding.expected_fee,
                'gst', finding.tax,
                'expected_gst', finding.expected_tax
            )
        )
        order by finding.settlement_id
    ) as detail
from finding
where finding.kind is not null
group by finding.kind, finding.gateway_payment_reference
union all
-- an account is asked about only as far as its reports reach
select
    'not_settled' as kind,
    payment.gateway_payment_reference as subject,
    payment.told_to as lender,
    payment.loan_id,
    payment.amount as rupees,
    jsonb_build_object('business_date', payment.business_date) as detail
from {{ ref('base_gateway_payment') }} as payment
inner join (
    select
        settled.gateway,
        settled.lender,
        min(settled.settled_on) as first_day,
        max(settled.settled_on) as last_day
    from {{ source('landing', 'raw_gateway_settlement_line') }} as settled
    group by settled.gateway, settled.lender
) as reported
    on
        payment.gateway = reported.gateway
        and payment.told_to = reported.lender
        and payment.business_date >= reported.first_day
        and payment.business_date + 10 <= reported.last_day
where
    payment.payment_status = 'captured'
    and payment.is_collection
    and payment.business_date >= {{ recon_today() }} - {{ var('settlement_days') }}
    and not exists (
        select 1 from {{ source('landing', 'raw_gateway_settlement_line') }} as settled
        where
            settled.gateway = payment.gateway
            and settled.gateway_payment_id = split_part(payment.gateway_payment_reference, ':', 2)
    )
union all
select
    'settlement_total_differs' as kind,
    settlement.gateway || ':' || settlement.settlement_id as subject,
    settlement.lender,
    null as loan_id,
    settlement.difference as rupees,
    jsonb_build_object('announced', settlement.announced, 'lines', settlement.net, 'utr', settlement.settlement_utr)
        as detail
from {{ ref('core_gateway_settlement') }} as settlement
where settlement.difference <> 0
