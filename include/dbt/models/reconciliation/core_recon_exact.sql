{{
    config(
        materialized="table",
        pre_hook="{{ recon_plan() }}",
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
        "gateway": "side.gateway_payment_reference in (select named.gateway_payment_reference from named_by_file as named)",
        "file_after": [],
        "gateway_after": [],
    },
    {
        "rule": "bank_reference",
        "rank": 2,
        "key": ["bank_reference", "lender", "loan_id", "amount"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is not null",
        "file_after": [],
        "gateway_after": [1],
    },
    {
        "rule": "recon_match_key",
        "rank": 3,
        "key": ["recon_match_key", "lender", "stream"],
        "file": "side.bank_reference is not null and side.gateway_payment_reference is null",
        "gateway": "side.bank_reference is null and side.recon_match_key in (select banked.recon_match_key from banked_in_file as banked)",
        "file_after": [2],
        "gateway_after": [1],
    },
    {
        "rule": "recon_match_key",
        "rank": 3,
        "key": ["recon_match_key", "lender", "stream"],
        "file": "side.bank_reference is null and side.gateway_payment_reference is null",
        "gateway": "true",
        "file_after": [],
        "gateway_after": [1, 2, 3],
    },
] -%}

-- what the first and the third pass can use at all: their other sides are far larger
with named_by_file as (
    select side.gateway_payment_reference
    from {{ ref('core_recon_side') }} as side
    where side.side = 'file' and side.gateway_payment_reference is not null
),

banked_in_file as (
    select side.recon_match_key
    from {{ ref('core_recon_side') }} as side
    where side.side = 'file' and side.bank_reference is not null and side.gateway_payment_reference is null
),

{% for pass in passes %}
{%- set number = loop.index -%}
pass_{{ number }} as (
    select
        {{- recon_pair_columns(pass.rule, pass.rank) }},
        (file_side.under_key + gateway_side.under_key - 2)::integer as alternatives
    from (
        {{- recon_left_over("file", pass.file, pass.key, pass.file_after) }}
    ) as file_side
    inner join (
        {{- recon_left_over("gateway", pass.gateway, pass.key, pass.gateway_after) }}
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
),

identified as (
    select
        md5(proposal.file_native_reference || '|' || proposal.gateway_native_reference) as match_group,
        proposal.*
    from proposal
)

select identified.*
from identified
where
    not exists (
        select 1 from {{ source('state', 'core_recon_match_undone') }} as undone
        where undone.match_group = identified.match_group
    )
