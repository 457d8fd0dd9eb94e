{{ config(materialized="table", tags=["reconciliation_rest", "reconciliation_rules"]) }}

select
    lender.lender,
    ({{ recon_rule_value('date_tolerance_days', 3) }})::integer as date_tolerance_days,
    ({{ recon_rule_value('amount_tolerance', 0) }})::numeric(18, 2) as amount_tolerance,
    ({{ recon_rule_value('expected_days', 3) }})::integer as expected_days,
    {{ recon_today() }} as today
from {{ source('state', 'core_lender') }} as lender
left join {{ source('state', 'core_lender_recon_rule') }} as rule on lender.lender = rule.lender
