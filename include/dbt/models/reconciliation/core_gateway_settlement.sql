{{ config(materialized="table", tags=["reconciliation_rest"]) }}

with line as (
    select
        settled.gateway,
        settled.lender,
        settled.settlement_id,
        max(settled.settlement_utr) as settlement_utr,
        max(settled.settled_on) as settled_on,
        count(*) filter (where settled.entity = 'payment')::integer as payments,
        coalesce(sum(settled.amount) filter (where settled.entity = 'payment'), 0) as gross,
        sum(settled.fee) as fee,
        coalesce(sum(settled.tax), 0) as tax,
        coalesce(-sum(settled.net) filter (where settled.entity = 'refund'), 0) as refunded,
        sum(settled.net) as net
    from {{ source('landing', 'raw_gateway_settlement_line') }} as settled
    where coalesce(settled.settled_on, {{ recon_today() }}) >= {{ recon_today() }} - {{ var('settlement_days') }}
    group by settled.gateway, settled.lender, settled.settlement_id
),

-- what the gateway said it transferred, and under which UTR
announced as (
    select
        'razorpay' as gateway,
        event.payload #>> '{payload,settlement,entity,id}' as settlement_id,
        max({{ rupees_of_paise("(event.payload #>> '{payload,settlement,entity,amount}')") }}) as amount,
        max(event.payload #>> '{payload,settlement,entity,utr}') as utr
    from {{ source('landing', 'raw_razorpay_api') }} as event
    where event.event_type = 'settlement.processed'
    group by event.payload #>> '{payload,settlement,entity,id}'
    union all
    select
        'cashfree' as gateway,
        event.payload #>> '{data,settlement,settlement_id}' as settlement_id,
        max({{ rupees_of_text("(event.payload #>> '{data,settlement,amount_settled}')") }}) as amount,
        max(event.payload #>> '{data,settlement,utr}') as utr
    from {{ source('landing', 'raw_cashfree_api') }} as event
    where event.event_type = 'SETTLEMENT_SUCCESS'
    group by event.payload #>> '{data,settlement,settlement_id}'
)

select
    line.gateway,
    line.lender,
    line.settlement_id,
    coalesce(line.settlement_utr, announced.utr) as settlement_utr,
    line.settled_on,
    line.payments,
    line.gross::numeric(18, 2) as gross,
    line.fee::numeric(18, 2) as fee,
    line.tax::numeric(18, 2) as tax,
    line.refunded::numeric(18, 2) as refunded,
    line.net::numeric(18, 2) as net,
    announced.amount::numeric(18, 2) as announced,
    (announced.amount - line.net)::numeric(18, 2) as difference
from line
left join announced on line.gateway = announced.gateway and line.settlement_id = announced.settlement_id
