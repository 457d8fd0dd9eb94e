-- ---------------------------------------------------------------- landing: gateways

-- `swept`: nobody signed it, we asked the gateway's API for it (turno_lms.gateways.sweep)
alter table raw.raw_razorpay_api
drop constraint raw_razorpay_api_verdict_check,
add constraint raw_razorpay_api_verdict_check check (verdict in ('verified_current', 'verified_previous', 'swept'));
alter table raw.raw_cashfree_api
drop constraint raw_razorpay_api_verdict_check,
add constraint raw_cashfree_api_verdict_check check (verdict in ('verified_current', 'verified_previous', 'swept'));

alter table raw.raw_webhook_dead_letter
add verdict text not null default 'verified_current' check (verdict in ('verified_current', 'verified_previous')),
add stale boolean not null default false,
add attempts integer not null default 0,
add last_error text,
add fate_reason text,
add fate_by text,
add fate_at timestamptz;
comment on column raw.raw_webhook_dead_letter.attempts is 'How often it was tried again; last_error says why in vain.';
revoke delete, truncate on raw.raw_webhook_dead_letter from turno_app;

create table core.core_gateway_sweep (
    sweep_id bigint generated always as identity primary key,
    gateway text not null,
    lender text not null,
    window_from timestamptz not null,
    window_until timestamptz not null,
    payments_seen integer not null,
    payments_landed integer not null,
    orders_asked integer not null,
    swept_by_run text not null,
    swept_at timestamptz not null default now(),
    check (window_from < window_until)
);
comment on table core.core_gateway_sweep is
'Each time a gateway was asked for payments whose webhook never came. The next window overlaps the last one.';
create index core_gateway_sweep_account on core.core_gateway_sweep (gateway, lender, window_until);

create table core.core_gateway_replay (
    replay_id bigint generated always as identity primary key,
    selection jsonb not null,
    reason text not null,
    requested_by text not null,
    requested_by_run text not null,
    requested_at timestamptz not null default now(),
    events integer not null,
    dead_letters_landed integer not null,
    dead_letters_left integer not null
);
comment on table core.core_gateway_replay is 'Who had which webhooks derived anew, and why. Insert-only.';

create table core.core_gateway_replay_event (
    replay_id bigint not null references core.core_gateway_replay,
    gateway text not null,
    lender text not null,
    event_key text not null,
    body_sha256 text not null,
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (replay_id, gateway, lender, event_key, body_sha256)
);
create index core_gateway_replay_event_txid on core.core_gateway_replay_event (_txid);

-- ---------------------------------------------------------------- landing: operations of the loan origination system

create table raw.raw_los_submission (
    operation text not null,
    submission_id uuid not null default gen_random_uuid(),
    caller text not null,
    reference text not null,
    payload jsonb not null,
    received_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (operation, submission_id),
    unique (operation, caller, reference)
) partition by list (operation);
comment on table raw.raw_los_submission is 'Operations as submitted; one partition, raw_<operation>_los, per operation.';
create index raw_los_submission_txid on raw.raw_los_submission (_txid);

create table raw.raw_create_client_los partition of raw.raw_los_submission for values in ('create_client');
create table raw.raw_update_client_los partition of raw.raw_los_submission for values in ('update_client');
create table raw.raw_create_loan_los partition of raw.raw_los_submission for values in ('create_loan');
create table raw.raw_approve_loan_los partition of raw.raw_los_submission for values in ('approve_loan');
create table raw.raw_disburse_loan_los partition of raw.raw_los_submission for values in ('disburse_loan');
create table raw.raw_add_charge_los partition of raw.raw_los_submission for values in ('add_charge');
create table raw.raw_foreclose_loan_los partition of raw.raw_los_submission for values in ('foreclose_loan');

create table core.core_los_caller_token (
    token_sha256 text primary key check (token_sha256 ~ '^[0-9a-f]{64}$'),
    caller text not null check (caller ~ '^[a-z][a-z0-9_-]{0,39}$'),
    created_at timestamptz not null default now(),
    created_by text not null,
    not_after timestamptz
);
comment on table core.core_los_caller_token is
'Who may submit operations. A token is 256 random bits and kept as its hash alone; while one is changed, two stand.';
create index core_los_caller_token_caller on core.core_los_caller_token (caller);

-- ---------------------------------------------------------------- grants

grant select, insert on core.core_gateway_sweep, core.core_gateway_replay, core.core_gateway_replay_event to turno_app;
grant select, insert on raw.raw_los_submission to turno_app;
grant select, insert, update on core.core_los_caller_token to turno_app;
grant select on
core.core_gateway_sweep, core.core_gateway_replay, core.core_gateway_replay_event, raw.raw_los_submission
to turno_dbt;
grant usage on schema core to turno_receiver;
grant select on core.core_los_caller_token to turno_receiver;
grant select, insert on raw.raw_los_submission to turno_receiver;
