{#
  Commit-safe increments by touched key (docs/decisions/0004-commit-safe-increments.md). Every row that can be read by
  a model carries _txid, the transaction that wrote it. Every row a model builds also carries _read_horizon: the oldest
  transaction that was still open when it was read. The next build takes what was written from there on, so that a
  commit that comes late under a lower number is never skipped; what it takes twice it only writes again.
#}

{% macro read_horizon() -%}
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
{%- endmacro %}

{% macro written_now() -%}
    pg_current_xact_id()::text::bigint
{%- endmacro %}

{% macro newest(column, relation) %}
    {#- A literal in the statement, not a subquery: the planner must see that the range is short. -#}
    {%- if not execute -%} {{ return(0) }} {%- endif -%}
    {%- set answer = run_query("select coalesce(max(" ~ column ~ "), 0) from " ~ relation) -%}
    {{ return(answer.columns[0].values()[0] | int) }}
{% endmacro %}

{% macro touched_since(column="_txid") -%}
    {{ column }} >= {{ newest('_read_horizon', this) }}
{%- endmacro %}

{% macro changed_subjects(kinds) -%}
    select change.subject
    from {{ source('state', 'core_change_log') }} as change
    where change.{{ touched_since() }} and change.kind in ('{{ kinds | join("', '") }}')
{%- endmacro %}

{% macro replayed_events(gateway) -%}
    {#- Events that a person had derived anew (turno_lms.gateways.replay), with the run and the reason in the same tables. -#}
    select
        replayed.lender,
        replayed.event_key,
        replayed.body_sha256
    from {{ source('state', 'core_gateway_replay_event') }} as replayed
    where replayed.gateway = '{{ gateway }}' and replayed.{{ touched_since() }}
{%- endmacro %}

{% macro analyze_when_rebuilt() %}
    {#- The next model must not plan for an empty table; after increments autovacuum keeps the figures. -#}
    {%- if not is_incremental() %} analyze {{ this }} {% endif -%}
{% endmacro %}

{% macro get_where_subquery(relation) %}
    {#- `where: last_build`, the project's default: the rows that the last build wrote. -#}
    {%- set where = config.get("where", "") -%}
    {%- if where == "last_build" -%}
        {%- do return("(select * from " ~ relation ~ " where _txid = " ~ newest("_txid", relation) ~ ") as last_build") -%}
    {%- elif where -%} {%- do return("(select * from " ~ relation ~ " where " ~ where ~ ") as filtered") -%}
    {%- endif -%}
    {%- do return(relation) -%}
{% endmacro %}

{% macro delete_linked_keys() %}
    {#- A linked key's row goes with the decision; delete+insert alone would leave the row it no longer builds. -#}
    delete from {{ this }} as payment
    using {{ source('state', 'core_payment_decision') }} as decision
    where decision.linked_posting_key is not null and payment.posting_key = decision.posting_key
{% endmacro %}
