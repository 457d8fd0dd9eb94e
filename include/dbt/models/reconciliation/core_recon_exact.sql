{{
    config(
        materialized="table",
        tags=["reconciliation_exact"],
        indexes=[{"columns": ["file_native_reference"]}, {"columns": ["gateway_native_reference"]}],
    )
}}

{#-
  Rules R1 to R3 (docs/reconciliation-rules.md). A pass pairs what the earlier ones left, the k-th of one side with the
  k-th of the other under the pass's key, so that two equal instalments match two records and never one twice. References
  come first, and records whose references differ are not offered to each other by any later pass.
-#}
{%- set passes = [
    {
        "rule": "gateway_payment_reference",
        "rank": 1,
        "key": ["gateway_payment_reference", "loan_id", "amount"],
        "file": "side.gateway_payment_reference is not null",
        "gateway": "true",
    },
    {
        "rule": "bank_reference",
        "rank": 2,
        "key": ["bank_reference", "lender", "loan_id", "amount"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is not null",
    },
    {
        "rule": "recon_match_key",
        "rank": 3,
        "key": ["recon_match_key", "lender", "stream"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is null",
    },
    {
        "rule": "recon_match_key",
        "rank": 3,
        "key": ["recon_match_key", "lender", "stream"],
        "file": "side.bank_reference is null and side.gateway_payment_reference is null",
        "gateway": "true",
    },
] -%}

with
{% for pass in passes %}
{%- set number = loop.index -%}
pass_{{ number }} as (
    select
        {{- recon_pair_columns(pass.rule, pass.rank) }},
        (file_side.under_key + gateway_side.under_key - 2)::integer as alternatives
    from (
        {{- recon_left_over("file", pass.file, pass.key, number) }}
    ) as file_side
    inner join (
        {{- recon_left_over("gateway", pass.gateway, pass.key, number) }}
    ) as gateway_side
        on
            file_side.nth = gateway_side.nth
            {% for column in pass.key -%}
            and file_side.{{ column }} = gateway_side.{{ column }}
            {% endfor %}
),
{% endfor %}

proposal as (
    {% for pass in passes -%}
    select * from pass_{{ loop.index }}
    {{ "union all" if not loop.last }}
    {% endfor %}
)

select
    md5(proposal.file_native_reference || '|' || proposal.gateway_native_reference) as match_group,
    proposal.*
from proposal
where
    not exists (
        select 1 from {{ source('state', 'core_recon_match_undone') }} as undone
        where undone.match_group = md5(proposal.file_native_reference || '|' || proposal.gateway_native_reference)
    )
