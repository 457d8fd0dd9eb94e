{% macro recon_left_over(side, condition, key, after) %}
        {#-
          One side of an exact pass: what it may pair and the passes in `after` left (the others offer other records),
          counted under the pass's key.
        #}
        {%- set carried = [
            "native_reference",
            "posting_key",
            "is_posting_channel",
            "lender",
            "recon_match_key",
            "business_date",
            "amount",
        ] %}
        select
            {%- for column in key %}
            side.{{ column }},
            {%- endfor %}
            {%- for column in carried if column not in key %}
            side.{{ column }},
            {%- endfor %}
            row_number() over nth_under_key as nth,
            count(*) over nth_under_key as under_key
        from {{ ref('core_recon_side') }} as side
        where
            side.side = '{{ side }}'
            and {{ condition }}
            {%- for earlier in after %}
            and not exists (
                select 1 from pass_{{ earlier }} as taken where taken.{{ side }}_native_reference = side.native_reference
            )
            {%- endfor %}
        window nth_under_key as (
            partition by {% for column in key %}side.{{ column }}{{ ", " if not loop.last }}{% endfor %}
            order by side.native_reference
            rows between unbounded preceding and unbounded following
        )
{% endmacro %}

{% macro recon_pair_columns(rule, rank) %}
        '{{ rule }}' as rule,
        {{ rank }} as pass,
        file_side.native_reference as file_native_reference,
        gateway_side.native_reference as gateway_native_reference,
        file_side.posting_key as file_posting_key,
        gateway_side.posting_key as gateway_posting_key,
        file_side.is_posting_channel as is_file_posting,
        gateway_side.is_posting_channel as is_gateway_posting,
        file_side.lender,
        file_side.recon_match_key,
        file_side.business_date - gateway_side.business_date as days,
        (gateway_side.amount - file_side.amount)::numeric(18, 2) as rupees
{%- endmacro %}

{% macro recon_today() -%}
    {#- The day (IST) on which it looks: what is younger than the tolerance may still find a better partner. -#}
    {%- if var('recon_today') -%} date '{{ var('recon_today') }}' {%- else -%} {{ ist_date('now()') }} {%- endif -%}
{%- endmacro %}

{% macro recon_rule_value(name, standard) -%}
    {#- A lender's value, its standard without one, or (a dry run) what var recon_rules says for the lender or for `*`. -#}
    {%- set tried = var('recon_rules') if var('recon_rules') is mapping else {} -%}
    coalesce(
    {%- for slug, rules in tried.items() if name in rules and slug != '*' %}
        case when lender.lender = '{{ slug }}' then {{ rules[name] }} end,
    {%- endfor %}
        {{ tried.get('*', {}).get(name, 'rule.' ~ name) }},
        {{ standard }}
    )
{%- endmacro %}

{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {#- A dry run of other reconciliation rules builds beside the tables that count, and is dropped again. -#}
    {%- set suffix = var('recon_suffix') if 'reconciliation_rules' in node.config.get('tags', []) else '' -%}
    {{ (custom_alias_name or node.name) ~ suffix }}
{%- endmacro %}

{% macro recon_candidate(record) -%}
        jsonb_build_object(
            'native_reference', {{ record }}.native_reference,
            'loan_id', {{ record }}.loan_id,
            'business_date', {{ record }}.business_date,
            'amount', {{ record }}.amount
        ) as candidate
{%- endmacro %}

{% macro recon_same_loan(one, other) -%}
    {#- Rupees and a day alone are no payment's own: whatever pairs without a reference is of one loan. -#}
    {{ one }}.loan_id = {{ other }}.loan_id
{%- endmacro %}

{% macro drop_recon_dry_run() %}
    {#- Ends a dry run of other rules: turno_lms.orchestration.rule_changes. -#}
    {%- if not var('recon_suffix') -%} {%- do exceptions.raise_compiler_error("recon_suffix is empty") -%} {%- endif -%}
    {%- for name in ["core_recon_rule", "core_recon_near", "core_recon_group", "core_recon_left_over"] %}
        {%- do run_query("drop table if exists core." ~ name ~ var('recon_suffix') ~ "; commit") -%}
    {%- endfor %}
{% endmacro %}

{% macro recon_plan() -%}
    {#-
      The planner takes a step that counts under a key for one row and loops over the next one with it: quadratic, where
      every join here is by equal keys of two large sides. Hashes and sorts want memory; both end with the transaction.
    -#}
    set local enable_nestloop = off; set local work_mem = '128MB'
{%- endmacro %}
