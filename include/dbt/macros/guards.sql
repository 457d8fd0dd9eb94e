{% macro refuse_foreign_transaction_ids() %}
    {#-
      A dump restored into another cluster brings transaction ids that mean nothing here. New rows would count as read
      already and be skipped without a word, so nothing runs until they are set back. The cluster's own name is asked
      first: its counter passes the dump's ids by itself, and rows that landed before it did stay behind the horizon.
    -#}
    {%- if execute -%}
        {%- set home -%}
            select 1 from {{ source("state", "core_warehouse_cluster") }} as home
            inner join pg_control_system() as control on home.system_identifier = control.system_identifier
        {%- endset -%}
        {%- if run_query(home).rows | length != 1 -%}
            {%- do exceptions.raise_compiler_error(
                "Rows carry transaction ids of another PostgreSQL cluster: the warehouse was restored from a dump."
                ~ " Nothing is built until docs/runbooks/restore-from-dump.md was followed."
            ) -%}
        {%- endif -%}
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
                ~ ". The warehouse was restored from another cluster's dump. Nothing is built until"
                ~ " docs/runbooks/restore-from-dump.md was followed to its end."
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
