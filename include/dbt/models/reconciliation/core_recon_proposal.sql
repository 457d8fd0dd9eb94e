{{
    config(
        materialized="table",
        indexes=[{"columns": ["file_native_reference"]}, {"columns": ["gateway_native_reference"]}],
    )
}}

{#-
  The passes, in order. A pass pairs what the earlier ones left, the k-th of one side with the k-th of the other under
  the pass's key, so that two equal instalments match two records and never one twice. References come first, and
  records whose references differ are not offered to each other by any later pass.
-#}
{%- set passes = [
    {
        "rule": "gateway_payment_reference",
        "key": ["gateway_payment_reference", "loan_id", "amount"],
        "file": "side.gateway_payment_reference is not null",
        "gateway": "true",
    },
    {
        "rule": "bank_reference",
        "key": ["lender", "bank_reference", "loan_id", "amount"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is not null",
    },
    {
        "rule": "recon_match_key",
        "key": ["lender", "stream", "recon_match_key"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is null",
    },
    {
        "rule": "recon_match_key",
        "key": ["lender", "stream", "recon_match_key"],
        "file": "side.bank_reference is null and side.gateway_payment_reference is null",
        "gateway": "true",
    },
] -%}

with
{% for pass in passes %}
{%- set number = loop.index -%}
pass_{{ number }} as (
    select
        '{{ pass.rule }}' as rule,
        {{ number }} as pass,
        file_side.native_reference as file_native_reference,
        gateway_side.native_reference as gateway_native_reference
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
    proposal.rule,
    proposal.pass,
    proposal.file_native_reference,
    proposal.gateway_native_reference,
    file_side.posting_key as file_posting_key,
    gateway_side.posting_key as gateway_posting_key,
    file_side.recon_match_key
from proposal
inner join {{ ref('core_recon_side') }} as file_side on proposal.file_native_reference = file_side.native_reference
inner join {{ ref('core_recon_side') }} as gateway_side on proposal.gateway_native_reference = gateway_side.native_reference
