-- Landing (append-only) and state tables. What dbt derives (base.*, the core models) is not here.
-- Every landing and state row that dbt reads carries _txid, the id of the transaction that wrote it: an increment
-- takes everything from the oldest transaction that was still open at its last read, so that a commit that
-- comes late under a lower number is never skipped (docs/decisions/0004-commit-safe-increments.md).

create schema raw;
create schema base;
create schema core;

-- ---------------------------------------------------------------- lenders (state: turno lenders apply)

create table core.core_lender (
    lender text primary key,
    name text not null,
    product_id integer not null unique,
    payment_type_id integer not null,
    post_from date not null,
    mapping_version text not null,
    applied_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
comment on table core.core_lender is 'One row per lender mapping in include/lender_mappings, as applied.';

create table core.core_lender_stream (
    lender text not null references core.core_lender,
    stream text not null,
    channel text not null,
    is_posting_channel boolean not null,
    posting_policy text not null check (posting_policy in ('at_once', 'after_recon', 'never')),
    primary key (lender, channel)
);
comment on column core.core_lender_stream.channel is 'file:<kind>, razorpay or cashfree.';
create unique index core_lender_stream_one_posting_channel
on core.core_lender_stream (lender, stream) where is_posting_channel;

create table core.core_lender_file_kind (
    lender text not null references core.core_lender,
    kind text not null,
    stream text not null,
    payment_id_is text not null check (payment_id_is in ('razorpay', 'cashfree', 'bank_reference', 'own')),
    sub_reference_id_is text not null check (sub_reference_id_is in ('razorpay', 'cashfree', 'bank_reference', 'own')),
    primary key (lender, kind)
);
comment on table core.core_lender_file_kind is
'What the references of a file kind are: a gateway''s payment id, a bank reference (RRN, UTR) or the file''s own.';

create table core.core_lender_webhook_rule (
    lender text not null references core.core_lender,
    gateway text not null check (gateway in ('razorpay', 'cashfree')),
    precedence smallint not null,
    field text not null,
    separator text,
    part smallint,
    loan_id_pattern text not null,
    resolves text not null check (resolves in ('loan_id', 'umrn')),
    primary key (lender, gateway, precedence)
);
comment on table core.core_lender_webhook_rule is
'Where a gateway payment carries the loan id: a dotted field of the payload, split and part.';

-- ---------------------------------------------------------------- landing: files

create table raw.raw_s3_file_processing_log (
    file_id bigint generated always as identity primary key,
    bucket text not null,
    key text not null,
    etag text not null,
    size_bytes bigint not null,
    sha256 text,
    lender text not null,
    kind text,
    mapping_version text,
    state text not null,
    error_code text,
    error_message text,
    rows_layout integer,
    rows_read integer,
    rows_accepted integer,
    rows_filtered integer,
    rows_duplicate integer,
    rows_rejected integer,
    rows_amount_unreadable integer,
    paise_read bigint,
    paise_accepted bigint,
    paise_filtered bigint,
    paise_duplicate bigint,
    paise_rejected bigint,
    same_content_as bigint references raw.raw_s3_file_processing_log,
    dag_id text not null,
    dag_run_id text not null,
    received_at timestamptz not null default now(),
    finished_at timestamptz,
    unique (bucket, key, etag),
    constraint loaded_file_ties check (
        state not in ('loaded', 'loaded_empty')
        or (
            rows_read = rows_accepted + rows_filtered + rows_duplicate + rows_rejected
            and paise_read = paise_accepted + paise_filtered + paise_duplicate + paise_rejected
        )
    )
);
create index raw_s3_file_processing_log_sha256 on raw.raw_s3_file_processing_log (sha256);

create table raw.raw_payment_file (
    loan_id text,
    amount text not null,
    date text not null,
    status text,
    charge text,
    note text,
    payment_id text,
    sub_reference_id text,
    source_file text not null,
    lender text not null,
    _kind text not null,
    _umrn text,
    _file_id bigint not null,
    _row_number integer not null,
    _mapping_version text not null,
    _loaded_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (lender, _file_id, _row_number)
) partition by list (lender);
create index raw_payment_file_txid on raw.raw_payment_file (_txid);
create index raw_payment_file_reference on raw.raw_payment_file (lender, _kind, payment_id) where payment_id is not null;
create index raw_payment_file_umrn on raw.raw_payment_file (_umrn) where _umrn is not null;

create table raw.raw_rejected_records (
    reject_id bigint generated always as identity primary key,
    file_id bigint not null references raw.raw_s3_file_processing_log,
    lender text not null,
    row_number integer not null,
    disposition text not null check (disposition in ('filtered', 'duplicate', 'rejected')),
    reason_code text not null,
    rule text not null,
    field text,
    message text not null,
    amount_paise bigint,
    raw_text text not null,
    mapping_version text not null,
    fate text not null default 'open' check (fate in ('open', 'replayed', 'discarded')),
    fate_reason text,
    fate_by text,
    fate_at timestamptz,
    created_at timestamptz not null default now(),
    unique (file_id, row_number)
);
create index raw_rejected_records_open on raw.raw_rejected_records (lender, reason_code) where fate = 'open';

create table raw.raw_umrn_master (
    umrn text not null,
    loan_id text not null,
    lender text not null,
    valid_from date not null,
    valid_to date,
    file_id bigint references raw.raw_s3_file_processing_log,
    loaded_by_run text not null,
    loaded_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (umrn, valid_from),
    check (valid_to is null or valid_to >= valid_from)
);
comment on column raw.raw_umrn_master.valid_to is 'Last day on which the mandate stands for this loan; null while it lasts.';

-- ---------------------------------------------------------------- landing: gateways

create table raw.raw_razorpay_api (
    lender text not null,
    event_key text not null,
    body_sha256 text not null,
    event_type text,
    body bytea not null,
    payload jsonb not null,
    headers jsonb not null,
    verdict text not null check (verdict in ('verified_current', 'verified_previous')),
    stale boolean not null default false,
    conflicting boolean not null default false,
    received_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    primary key (lender, event_key, body_sha256)
) partition by list (lender);
create index raw_razorpay_api_txid on raw.raw_razorpay_api (_txid);

create table raw.raw_cashfree_api (like raw.raw_razorpay_api including all) partition by list (lender);

create table raw.raw_webhook_dead_letter (
    dead_letter_id bigint generated always as identity primary key,
    gateway text not null,
    lender text not null,
    reason_code text not null,
    event_key text not null,
    body_sha256 text not null,
    body bytea not null,
    headers jsonb not null,
    received_at timestamptz not null default now(),
    fate text not null default 'open' check (fate in ('open', 'replayed', 'discarded')),
    unique (gateway, lender, event_key, body_sha256)
);

-- ---------------------------------------------------------------- landing: Fineract

create table raw.raw_fineract_api_log (
    call_id bigint generated always as identity primary key,
    dag_id text not null,
    dag_run_id text not null,
    task_id text not null default '',
    purpose text not null,
    subject text,
    method text not null,
    path text not null,
    idempotency_key text,
    request jsonb,
    status_code integer,
    served_from_cache boolean not null default false,
    response jsonb,
    outcome text not null,
    duration_ms integer not null,
    called_at timestamptz not null default now()
);
create index raw_fineract_api_log_subject on raw.raw_fineract_api_log (subject);

create table raw.raw_fineract_loan_snapshot (
    snapshot_id bigint generated always as identity primary key,
    fineract_loan_id bigint not null,
    external_id text,
    product_id integer not null,
    status_id integer not null,
    payload jsonb not null,
    payload_md5 text not null,
    taken_at timestamptz not null default now(),
    taken_by_run text not null,
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
comment on table raw.raw_fineract_loan_snapshot is 'A loan as Fineract lists it, appended only when it changed.';
create index raw_fineract_loan_snapshot_loan on raw.raw_fineract_loan_snapshot (fineract_loan_id, snapshot_id);
create index raw_fineract_loan_snapshot_name
on raw.raw_fineract_loan_snapshot (upper(trim(external_id)), snapshot_id);
create index raw_fineract_loan_snapshot_txid on raw.raw_fineract_loan_snapshot (_txid);

-- ---------------------------------------------------------------- state: identity and decisions

create table core.core_payment_identity (
    native_reference text primary key,
    posting_key text not null,
    source_key text not null,
    occurrence integer not null check (occurrence >= 1),
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null check (amount > 0),
    stream text not null,
    channel text not null,
    gateway_payment_reference text,
    bank_reference text,
    matched_by text not null check (
        matched_by in ('first_sight', 'gateway_payment', 'bank_reference', 'same_source_key')
    ),
    held_as text check (held_as in ('possible_duplicate')),
    first_seen_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
comment on table core.core_payment_identity is 'Native reference to posting key, frozen at first sight. Insert-only.';
create index core_payment_identity_posting_key on core.core_payment_identity (posting_key);
create index core_payment_identity_source_key on core.core_payment_identity (source_key);
create index core_payment_identity_gateway_payment on core.core_payment_identity (gateway_payment_reference)
where gateway_payment_reference is not null;
create index core_payment_identity_bank_reference on core.core_payment_identity (lender, bank_reference)
where bank_reference is not null;
create index core_payment_identity_txid on core.core_payment_identity (_txid);

create table core.core_payment_decision (
    posting_key text primary key,
    decision text not null check (decision in ('release', 'link')),
    linked_posting_key text,
    reason text not null,
    decided_by text not null,
    decided_at timestamptz not null default now(),
    check ((decision = 'link') = (linked_posting_key is not null)),
    check (linked_posting_key <> posting_key)
);

create table core.core_change_log (
    change_id bigint generated always as identity primary key,
    kind text not null check (
        kind in ('lender', 'loan', 'umrn', 'identity', 'decision', 'posting', 'reconciliation')
    ),
    subject text not null,
    changed_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
comment on table core.core_change_log is
'What changed beside new landing rows, so that increments rebuild the touched rows and nothing else.';
create index core_change_log_txid on core.core_change_log (_txid, kind);

-- ---------------------------------------------------------------- state: posting

create table core.core_loan_lease (
    loan_id text primary key,
    holder text not null,
    fence bigint not null,
    expires_at timestamptz not null
);
comment on column core.core_loan_lease.fence is 'Rises with every holder; a write under an older fence is refused.';

create table core.core_fineract_pending_transactions (
    posting_key text primary key,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null check (amount > 0),
    payment_type_id integer not null,
    bank_reference text,
    state text not null check (state in ('queued', 'in_flight', 'waiting', 'unknown', 'in_doubt')),
    attempt integer not null default 1,
    tries integer not null default 0,
    next_try_at timestamptz not null default now(),
    fence bigint,
    last_error text,
    last_try_at timestamptz,
    created_at timestamptz not null default now(),
    created_by_run text not null
);
create index core_fineract_pending_transactions_loan on core.core_fineract_pending_transactions (loan_id, business_date);

create table core.core_fineract_transaction_archive (
    archive_id bigint generated always as identity primary key,
    posting_key text not null,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null,
    outcome text not null check (outcome in ('posted', 'failed', 'withdrawn')),
    attempt integer not null,
    tries integer not null,
    fineract_transaction_id bigint,
    status_code integer,
    error_code text,
    error_message text,
    created_by_run text not null,
    ended_by_run text not null,
    ended_at timestamptz not null default now()
);
create index core_fineract_transaction_archive_key on core.core_fineract_transaction_archive (posting_key);

create table core.core_transaction_data_processed (
    posting_key text primary key,
    outcome text not null check (outcome in ('posted', 'failed', 'withdrawn')),
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null,
    fineract_transaction_id bigint,
    attempts integer not null,
    error_code text,
    error_message text,
    processed_at timestamptz not null default now(),
    processed_by_run text not null,
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
create index core_transaction_data_processed_loan on core.core_transaction_data_processed (loan_id);

-- ---------------------------------------------------------------- state: reconciliation

create table core.core_recon_match (
    match_id bigint generated always as identity primary key,
    match_group text not null,
    native_reference text not null unique,
    posting_key text not null,
    side text not null check (side in ('file', 'gateway')),
    rule text not null,
    recon_match_key text not null,
    matched_at timestamptz not null default now(),
    matched_by_run text not null
);
create index core_recon_match_group on core.core_recon_match (match_group);
create index core_recon_match_posting_key on core.core_recon_match (posting_key);

create table core.core_recon_exception (
    exception_id bigint generated always as identity primary key,
    kind text not null,
    subject text not null,
    lender text,
    loan_id text,
    amount numeric(18, 2),
    detail jsonb not null default '{}',
    state text not null default 'open' check (state in ('open', 'resolved', 'cleared')),
    opened_at timestamptz not null default now(),
    opened_by_run text not null,
    closed_at timestamptz,
    closed_by text,
    close_reason text
);
create unique index core_recon_exception_one_open on core.core_recon_exception (kind, subject) where state = 'open';

-- ---------------------------------------------------------------- roles: one per program, each with what it needs

do $$
declare role_name text;
begin
    foreach role_name in array array['turno_app', 'turno_dbt', 'turno_receiver'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute 'create role ' || quote_ident(role_name);
        end if;
    end loop;
end $$;

grant usage on schema raw, base, core to turno_app, turno_dbt;
grant usage on schema raw to turno_receiver;
-- the areas of turno_lms write landing and state, and read what dbt derives
grant select, insert, update, delete on all tables in schema raw, core to turno_app;
revoke delete, truncate on raw.raw_fineract_api_log, raw.raw_fineract_loan_snapshot, raw.raw_payment_file,
    raw.raw_razorpay_api, raw.raw_cashfree_api, raw.raw_s3_file_processing_log from turno_app;
revoke update, delete on core.core_payment_identity from turno_app;
-- dbt reads landing and state, and owns only what it creates
grant select on all tables in schema raw, core to turno_dbt;
grant create on schema base, core to turno_dbt;
-- the receiver adds webhooks and reads only what tells duplicates
grant select, insert on raw.raw_razorpay_api, raw.raw_cashfree_api, raw.raw_webhook_dead_letter to turno_receiver;
