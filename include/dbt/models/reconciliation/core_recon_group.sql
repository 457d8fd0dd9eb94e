{{
    config(
        materialized="table",
        pre_hook="{{ recon_plan() }}",
        tags=["reconciliation_rest", "reconciliation_rules"],
        indexes=[{"columns": ["native_reference"]}, {"columns": ["group_key"]}],
    )
}}

{#-
  Rules R7 and R8: what is left of one loan in one settlement or UTR, on both sides. Where both sides sum to the same
  rupees they are one match (R7, `group_sum`); where they do not, turno_lms.reconciliation searches a small group for the
  only subset that agrees (R8, `group_subset`). A group without both sides is no group.
-#}
with left_over as (
    select
        side.*,
        md5(side.lender || '|' || side.stream || '|' || side.loan_id || '|' || side.settlement_reference) as group_key
    from {{ ref('core_recon_side') }} as side
    inner join {{ ref('core_recon_rule') }} as rule on side.lender = rule.lender
    left join {{ ref('core_recon_exact') }} as as_file on side.native_reference = as_file.file_native_reference
    left join {{ ref('core_recon_exact') }} as as_gateway on side.native_reference = as_gateway.gateway_native_reference
    left join (
        select near.file_native_reference as native_reference from {{ ref('core_recon_near') }} as near
        where near.is_accepted
        union
        select near.gateway_native_reference from {{ ref('core_recon_near') }} as near
        where near.is_accepted
    ) as nearer on side.native_reference = nearer.native_reference
    where
        side.settlement_reference is not null
        and as_file.match_group is null
        and as_gateway.match_group is null
        and nearer.native_reference is null
        and side.business_date + rule.date_tolerance_days <= rule.today
),

settled_group as (
    select
        left_over.group_key,
        sum(left_over.amount) filter (where left_over.side = 'file') as file_rupees,
        sum(left_over.amount) filter (where left_over.side = 'gateway') as gateway_rupees,
        count(*) filter (where left_over.side = 'file') as file_records,
        count(*) filter (where left_over.side = 'gateway') as gateway_records,
        max(left_over.business_date) filter (where left_over.side = 'file')
        - max(left_over.business_date) filter (where left_over.side = 'gateway') as days,
        md5(string_agg(left_over.native_reference, '|' order by left_over.native_reference)) as match_group
    from left_over
    group by left_over.group_key
    having bool_or(left_over.side = 'file') and bool_or(left_over.side = 'gateway')
)

select
    settled_group.group_key,
    settled_group.match_group,
    left_over.native_reference,
    left_over.posting_key,
    left_over.side,
    left_over.lender,
    left_over.recon_match_key,
    left_over.amount,
    left_over.business_date,
    left_over.is_posting_channel,
    settled_group.days,
    (settled_group.gateway_rupees - settled_group.file_rupees)::numeric(18, 2) as rupees,
    settled_group.file_records::integer as file_records,
    settled_group.gateway_records::integer as gateway_records,
    settled_group.file_rupees = settled_group.gateway_rupees and undone.match_group is null as is_accepted
from settled_group
inner join left_over on settled_group.group_key = left_over.group_key
left join (
    select distinct match.match_group from {{ source('state', 'core_recon_match_undone') }} as match
) as undone on settled_group.match_group = undone.match_group
