-- One role per program, each with what it needs; docs/database-roles.md is the same as a table, and a test compares.
-- turno_app, which did everything the pipelines do, keeps its name in earlier migrations and loses every right.

do $$
declare role_name text;
begin
    foreach role_name in array array['turno_ingestion', 'turno_reconciler', 'turno_poster', 'turno_console', 'turno_finance']
    loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute 'create role ' || quote_ident(role_name);
        end if;
    end loop;
end $$;

-- what dbt made is not the owner's to revoke: without the schemas, rights on it mean nothing, and dbt takes them back
revoke usage on schema raw, base, core from turno_app;
do $$
declare relation text;
begin
    for relation in
        select table_class.oid::regclass::text
        from pg_class as table_class
        inner join pg_namespace as home on home.oid = table_class.relnamespace
        where
            home.nspname in ('raw', 'core')
            and table_class.relkind in ('r', 'p', 'v')
            and table_class.relowner = current_user::regrole
    loop
        execute 'revoke all on ' || relation || ' from turno_app';
    end loop;
end $$;

grant usage on schema raw, base, core to turno_ingestion, turno_reconciler, turno_poster, turno_console;

-- ---------------------------------------------------------------- reading

-- matching, posting and the console look at everything, but for what callers of /los are recognised by
grant select on all tables in schema raw, core to turno_reconciler, turno_poster, turno_console;
revoke select on core.core_los_caller_token from turno_reconciler, turno_console;
-- ingestion looks at what landed, at the lenders, and at what became of its rows
grant select on all tables in schema raw to turno_ingestion;
revoke select on
raw.raw_fineract_api_log, raw.raw_fineract_loan_detail, raw.raw_payment_link_call, raw.raw_los_submission,
raw.raw_los_refused_row
from turno_ingestion;
grant select on
core.core_lender, core.core_lender_stream, core.core_lender_file_kind, core.core_lender_webhook_rule,
core.core_lender_mapping, core.core_payment_identity, core.core_payment_decision,
core.core_fineract_pending_transactions, core.core_transaction_data_processed, core.core_reversal,
core.core_gateway_sweep, core.core_gateway_replay, core.core_gateway_replay_event, core.core_payment_link,
core.core_payment_link_payment, core.core_change_log, core.core_recon_exception_event
to turno_ingestion;

-- partitions are read and written through their parents only
do $$
declare relation text;
begin
    for relation in
        select inhrelid::regclass::text from pg_inherits
        inner join pg_class on pg_class.oid = pg_inherits.inhrelid and pg_class.relkind = 'r'
    loop
        execute 'revoke all on ' || relation || ' from turno_ingestion, turno_reconciler, turno_poster, turno_console';
    end loop;
end $$;

-- ---------------------------------------------------------------- what every pipeline may raise and announce

grant select, insert, update on core.core_recon_exception to turno_ingestion, turno_reconciler, turno_poster;
grant insert on core.core_recon_exception_event, core.core_change_log
to turno_ingestion, turno_reconciler, turno_poster;

-- ---------------------------------------------------------------- ingestion: what lands, and its processing log

grant insert on
raw.raw_payment_file, raw.raw_razorpay_api, raw.raw_cashfree_api, raw.raw_file_replay,
raw.raw_gateway_settlement_report, raw.raw_gateway_settlement_line, raw.raw_lender_loan_statement,
core.core_lender_mapping, core.core_gateway_sweep, core.core_gateway_replay, core.core_gateway_replay_event
to turno_ingestion;
grant insert, update on
raw.raw_s3_file_processing_log, raw.raw_umrn_master, raw.raw_webhook_dead_letter
to turno_ingestion;
grant insert, update, delete on raw.raw_rejected_records to turno_ingestion;

-- ---------------------------------------------------------------- reconciler: whose money it is, and what matches

grant insert on core.core_payment_identity, core.core_recon_match_undone to turno_reconciler;
grant insert, update on core.core_payment_decision, core.core_approval to turno_reconciler;
grant insert, update, delete on core.core_recon_match, core.core_recon_daily to turno_reconciler;

-- ---------------------------------------------------------------- poster: the ledger, and whatever speaks to Fineract

grant insert on
raw.raw_fineract_api_log, raw.raw_fineract_loan_snapshot, raw.raw_fineract_loan_detail,
raw.raw_fineract_loan_schedule, raw.raw_manual_repayment, raw.raw_payment_link_call, raw.raw_los_submission,
raw.raw_los_refused_row,
core.core_fineract_transaction_archive, core.core_posting_switch, core.core_posting_correction,
core.core_payment_link_payment, core.core_resolution_event
to turno_poster;
grant insert, update on
core.core_transaction_data_processed, core.core_loan_lease, core.core_loan_look, core.core_loan_proof,
core.core_reversal, core.core_reversal_search, core.core_approval, core.core_settlement,
core.core_settlement_promise, core.core_write_off, core.core_foreclosure, core.core_resolution_step,
core.core_resolution_money, core.core_payment_link, core.core_payment_link_reading, core.core_los_file,
core.core_los_processed, core.core_los_caller_token, core.core_loan_product_template
to turno_poster;
grant insert, update, delete on core.core_fineract_pending_transactions to turno_poster;

-- ---------------------------------------------------------------- finance: money without personal data

create schema masked;
comment on schema masked is
'For people who read with SQL: landing without personal data. The views of each lender come from turno lenders apply.';
grant usage on schema masked, core to turno_finance;
grant usage on schema masked to turno_console;
grant select on
core.core_approval, core.core_fineract_pending_transactions, core.core_fineract_transaction_archive,
core.core_foreclosure, core.core_lender, core.core_lender_rate_card, core.core_lender_recon_rule,
core.core_lender_stream, core.core_open_resolution, core.core_payment_decision, core.core_payment_identity,
core.core_payment_link_life, core.core_posting_correction, core.core_posting_switch,
core.core_posting_switch_standing, core.core_recon_daily, core.core_recon_match, core.core_recon_match_undone,
core.core_resolution_event, core.core_resolution_money, core.core_resolution_step, core.core_reversal,
core.core_settlement, core.core_settlement_payable, core.core_settlement_promise,
core.core_transaction_data_processed, core.core_write_off, core.core_written_off_loan
to turno_finance;

create function masked.mask(value text) returns text
language sql immutable
return case
    when length(value) > 8 then repeat('x', length(value) - 4) || right(value, 4)
    else repeat('x', length(value))
end;
comment on function masked.mask is 'The last four characters of a text of nine or more; nothing of a shorter one.';

-- the detail of an exception holds what a person wrote or a file said
create view masked.recon_exception as
select
    exception_id, kind, subject, lender, loan_id, amount, state, opened_at, opened_by_run, closed_at, closed_by, class,
    owner, waits_until, life, age_days, age, due_at, is_overdue
from core.core_recon_exception_standing;
comment on view masked.recon_exception is 'core_recon_exception_standing without detail and notes.';

create view masked.fineract_call as
select
    call_id, called_at, dag_id, dag_run_id, task_id, purpose, subject, method, path, idempotency_key, status_code,
    served_from_cache, outcome, duration_ms
from raw.raw_fineract_api_log;
comment on view masked.fineract_call is 'Every attempt at Fineract, without what was sent and answered.';

grant select on masked.recon_exception, masked.fineract_call to turno_finance, turno_console;
