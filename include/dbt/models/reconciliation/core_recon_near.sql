{{
    config(
        materialized="table",
        pre_hook="{{ recon_plan() }}",
        tags=["reconciliation_rest", "reconciliation_rules"],
        indexes=[{"columns": ["file_native_reference"]}, {"columns": ["gateway_native_reference"]}],
    )
}}

{#-
  Rules R4 to R6: the same loan, within the lender's days, and the rupees equal, explained by a charge, or within its
  tolerance. Whatever the rule, a pair is accepted only if neither record has another partner under it, records that are
  equal in all that is compared counting as one; the rest is ambiguous and stays so. Only what is older than the
  tolerance is offered, so that a better partner that comes within it is never too late: the result is the same in any
  order of arrival.
-#}
{%- set rules = [("date_tolerance", 4), ("charge_explained", 5), ("amount_tolerance", 6)] -%}

with left_over as (
    select
        side.*,
        rule.date_tolerance_days,
        rule.amount_tolerance,
        row_number() over (bucket order by side.native_reference) as nth,
        first_value(side.native_reference) over (bucket order by side.native_reference) as bucket
    from {{ ref('core_recon_side') }} as side
    inner join {{ ref('core_recon_rule') }} as rule on side.lender = rule.lender
    left join {{ ref('core_recon_exact') }} as as_file on side.native_reference = as_file.file_native_reference
    left join {{ ref('core_recon_exact') }} as as_gateway on side.native_reference = as_gateway.gateway_native_reference
    where
        as_file.match_group is null
        and as_gateway.match_group is null
        and side.business_date + rule.date_tolerance_days <= rule.today
    window bucket as (
        partition by
            side.side,
            side.lender,
            side.stream,
            side.loan_id,
            side.amount,
            side.business_date,
            side.charge,
            side.bank_reference is null,
            -- two records of the gateway are never one, and what names a payment is offered to that payment alone
            case when side.side = 'file' then side.gateway_payment_reference end
    )
),

near as (
    select
        file_side.bucket as file_bucket,
        gateway_side.bucket as gateway_bucket,
        file_side.native_reference as file_native_reference,
        gateway_side.native_reference as gateway_native_reference,
        case
            when file_side.amount = gateway_side.amount then 4
            when abs(gateway_side.amount - file_side.amount) in (file_side.charge, gateway_side.charge) then 5
            when abs(gateway_side.amount - file_side.amount) <= file_side.amount_tolerance then 6
        end as rank,
        file_side.nth = gateway_side.nth as is_same_nth
    from left_over as file_side
    inner join left_over as gateway_side
        on
            file_side.lender = gateway_side.lender
            and file_side.stream = gateway_side.stream
            and {{ recon_same_loan('file_side', 'gateway_side') }}
            and abs(file_side.business_date - gateway_side.business_date) <= file_side.date_tolerance_days
            -- references that differ are two payments
            and coalesce(file_side.gateway_payment_reference = gateway_side.gateway_payment_reference, true)
            and coalesce(file_side.bank_reference = gateway_side.bank_reference, true)
    where file_side.side = 'file' and gateway_side.side = 'gateway'
),

{% for rule, rank in rules -%}
-- a record that has a partner under a rule, even several, is not offered under a weaker one
pass_{{ rank }} as (
    select
        '{{ rule }}' as rule,
        near.*,
        min(near.gateway_bucket) over (partition by near.file_bucket)
        = max(near.gateway_bucket) over (partition by near.file_bucket)
        and min(near.file_bucket) over (partition by near.gateway_bucket)
        = max(near.file_bucket) over (partition by near.gateway_bucket) as is_only,
        count(*) over (partition by near.file_native_reference) as of_file,
        count(*) over (partition by near.gateway_native_reference) as of_gateway
    from near
    where
        near.rank = {{ rank }}
        {%- for _, earlier in rules if earlier < rank %}
        {% for side in ["file", "gateway"] -%}
        and not exists (
            select 1 from pass_{{ earlier }} as taken
            where taken.{{ side }}_bucket = near.{{ side }}_bucket
        )
        {% endfor -%}
        {%- endfor %}
),

{% endfor -%}
counted as (
    {% for _, rank in rules -%}
    select * from pass_{{ rank }}
    {{ "union all" if not loop.last }}
    {% endfor -%}
)

select
    md5(counted.file_native_reference || '|' || counted.gateway_native_reference) as match_group,
    counted.rule,
    counted.rank::integer as pass,
    counted.file_native_reference,
    counted.gateway_native_reference,
    file_side.posting_key as file_posting_key,
    gateway_side.posting_key as gateway_posting_key,
    file_side.is_posting_channel as is_file_posting,
    gateway_side.is_posting_channel as is_gateway_posting,
    file_side.lender,
    file_side.recon_match_key,
    file_side.business_date - gateway_side.business_date as days,
    (gateway_side.amount - file_side.amount)::numeric(18, 2) as rupees,
    (counted.of_file + counted.of_gateway - 2)::integer as alternatives,
    counted.is_only and counted.is_same_nth and undone.match_group is null as is_accepted,
    counted.is_only as is_unambiguous,
    file_side.amount
from counted
inner join left_over as file_side on counted.file_native_reference = file_side.native_reference
inner join left_over as gateway_side on counted.gateway_native_reference = gateway_side.native_reference
left join (
    select distinct match.match_group from {{ source('state', 'core_recon_match_undone') }} as match
) as undone
    on md5(counted.file_native_reference || '|' || counted.gateway_native_reference) = undone.match_group
