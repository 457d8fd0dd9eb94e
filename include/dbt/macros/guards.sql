{% macro refuse_foreign_transaction_ids() %}
    {#-
      A dump restored into another cluster brings transaction ids that this cluster has yet to reach. New rows would
      then count as read already and be skipped without a word, so nothing runs until they are set back.
    -#}
    {%- if execute -%}
        {%- set tables = [
            source("landing", "raw_payment_file"),
            source("landing", "raw_razorpay_api"),
            source("landing", "raw_cashfree_api"),
            source("landing", "raw_fineract_loan_snapshot"),
            source("state", "core_payment_identity"),
            source("state", "core_change_log"),
            source("state", "core_gateway_replay_event"),
        ] -%}
        {%- set query -%}
            {%- for table in tables %}
            select '{{ table.schema }}.{{ table.identifier }}' as name from {{ table }}
            having max(_txid) >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint
            {{ "union all" if not loop.last }}
            {%- endfor %}
        {%- endset -%}
        {%- set foreign = run_query(query).columns[0].values() -%}
        {%- if foreign -%}
            {%- do exceptions.raise_compiler_error(
                "Rows carry transaction ids that this PostgreSQL cluster has not reached: " ~ foreign | join(", ")
                ~ ". The warehouse was restored from another cluster's dump. As its owner run `update <table> set _txid = 3`"
                ~ " for each table that has the column, then `dbt build --full-refresh`; until then nothing is built"
                ~ " (docs/runbooks/restore-from-dump.md)."
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
