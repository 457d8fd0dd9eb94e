{{
    config(
        materialized="table",
        tags=["reconciliation_rest"],
        indexes=[{"columns": ["gateway_payment_reference"]}, {"columns": ["settlement_utr"]}],
    )
}}

{#- A rate card's sums are rounded to the paisa once for the fee and once for the GST on it, as an invoice does. -#}
with line as (
    select
        settled.*,
        settled.gateway || ':' || settled.gateway_payment_id as gateway_payment_reference
    from {{ source('landing', 'raw_gateway_settlement_line') }} as settled
    where
        settled.entity = 'payment'
        and coalesce(settled.settled_on, {{ recon_today() }}) >= {{ recon_today() }} - {{ var('settlement_days') }}
),

charged as (
    select
        line.*,
        round(line.amount * rate.percent / 100 + rate.flat, 2) as expected_charge,
        rate.gst_percent
    from line
    left join lateral (
        select
            card.percent,
            card.flat,
            card.gst_percent
        from {{ source('state', 'core_lender_rate_card') }} as card
        where
            card.lender = line.lender
            and card.gateway = line.gateway
            and card.method in (lower(line.method), 'other')
        order by card.method = 'other'
        limit 1
    ) as rate on true
)

select
    charged.line_id,
    charged.gateway,
    charged.lender,
    charged.gateway_payment_reference,
    payment.loan_id,
    charged.settlement_id,
    charged.settlement_utr,
    charged.settled_on,
    charged.method,
    charged.amount,
    payment.amount as reported_amount,
    charged.fee,
    charged.tax,
    charged.net,
    round(charged.expected_charge * charged.gst_percent / 100, 2)::numeric(18, 2) as expected_tax,
    (charged.expected_charge + round(charged.expected_charge * charged.gst_percent / 100, 2))::numeric(18, 2) as expected_fee,
    payment.gateway_payment_reference is not null as is_known
from charged
left join {{ ref('base_gateway_payment') }} as payment
    on charged.gateway_payment_reference = payment.gateway_payment_reference
