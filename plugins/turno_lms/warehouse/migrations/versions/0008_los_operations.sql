-- Operations of the loan origination system (docs/decisions/0018-los-operations.md). The partitions of an operation,
-- raw.raw_<operation>_los and core.core_<operation>_los_processed, are made by `turno los apply` from the registry.

-- ---------------------------------------------------------------- landing

alter table raw.raw_los_submission
    add column source text not null default 'receiver' check (source in ('receiver', 'file', 'form')),
    add column file_id bigint,
    add column row_number integer;
comment on column raw.raw_los_submission.source is
'How it came; a row of a file or form has its number there, and of a file its entry in core.core_los_file.';

create table raw.raw_los_refused_row (
    refused_id bigint generated always as identity primary key,
    file_id bigint,
    operation text not null,
    caller text not null,
    row_number integer not null,
    reference text,
    reason text not null check (reason in ('bad_row', 'reference_conflict')),
    field text not null,
    problem text not null,
    payload jsonb,
    refused_by_run text not null,
    refused_at timestamptz not null default now()
);
comment on table raw.raw_los_refused_row is
'Rows of files and forms that are no submission, one line per problem: the field and what is wrong with it.';
create index raw_los_refused_row_file on raw.raw_los_refused_row (file_id, row_number);

create table raw.raw_fineract_loan_schedule (
    schedule_id bigint generated always as identity primary key,
    fineract_loan_id bigint not null,
    external_id text,
    installments integer not null,
    installment_amount numeric(18, 2) not null,
    first_due_on date not null,
    last_due_on date not null,
    principal numeric(18, 2) not null,
    interest numeric(18, 2) not null,
    fees numeric(18, 2) not null,
    penalties numeric(18, 2) not null,
    taken_at timestamptz not null default now(),
    taken_by_run text not null,
    _txid bigint not null default pg_current_xact_id()::text::bigint
);
comment on table raw.raw_fineract_loan_schedule is
'The figures of a loan''s schedule as Fineract had them, appended only when they changed. Rupees.';
create index raw_fineract_loan_schedule_loan on raw.raw_fineract_loan_schedule (fineract_loan_id, schedule_id);
create index raw_fineract_loan_schedule_txid on raw.raw_fineract_loan_schedule (_txid);

-- ---------------------------------------------------------------- state

create table core.core_los_file (
    file_id bigint generated always as identity primary key,
    bucket text not null,
    key text not null,
    etag text not null,
    operation text not null,
    caller text not null,
    sha256 text,
    state text not null check (state in ('landed', 'refused')),
    error_message text,
    rows_read integer not null default 0,
    rows_accepted integer not null default 0,
    rows_duplicate integer not null default 0,
    rows_refused integer not null default 0,
    taken_by_run text not null,
    taken_at timestamptz not null default now(),
    unique (bucket, key, etag),
    constraint every_row_has_its_fate check (
        state = 'refused' or rows_read = rows_accepted + rows_duplicate + rows_refused
    )
);
comment on table core.core_los_file is 'Versions of files under los/<operation>/, and where each of their rows ended.';

create table core.core_los_processed (
    operation text not null,
    submission_id uuid not null,
    caller text not null,
    reference text not null,
    subject text not null,
    loan_id text,
    client_id text,
    submitted_at timestamptz not null,
    state text not null check (
        state in ('queued', 'in_flight', 'waiting', 'unknown', 'held', 'done', 'refused', 'dropped')
    ),
    reason text,
    message text,
    detail jsonb not null default '{}',
    result jsonb,
    is_recognised boolean not null default false,
    accepted_reasons text [] not null default '{}',
    attempt integer not null default 1,
    tries integer not null default 0,
    next_try_at timestamptz not null default now(),
    waiting_since timestamptz,
    fence bigint,
    claimed_by_run text not null,
    claimed_at timestamptz not null default now(),
    changed_at timestamptz not null default now(),
    ended_at timestamptz,
    ended_by_run text,
    decided_by text,
    decision_reason text,
    primary key (operation, submission_id),
    check ((state in ('done', 'refused', 'dropped')) = (ended_at is not null))
) partition by list (operation);
comment on table core.core_los_processed is
'What became of each submission; one partition, core_<operation>_los_processed, per operation.';
comment on column core.core_los_processed.subject is 'Whose sequence it belongs to: client:<id> or loan:<id>.';
comment on column core.core_los_processed.is_recognised is 'Fineract had it already, as submitted: nothing was sent.';
comment on column core.core_los_processed.accepted_reasons is 'Mismatches that a person let pass.';
create index core_los_processed_open on core.core_los_processed (subject, next_try_at)
where state in ('queued', 'in_flight', 'waiting', 'unknown');
create index core_los_processed_subject on core.core_los_processed (subject);
create index core_los_processed_client on core.core_los_processed (client_id) where state = 'waiting';
create index core_los_processed_loan on core.core_los_processed (loan_id, ended_at) where state = 'done';
create index core_los_processed_state on core.core_los_processed (state, changed_at);

create table core.core_loan_product_template (
    product_id integer primary key,
    template jsonb not null,
    fetched_at timestamptz not null default now()
);
comment on table core.core_loan_product_template is 'What a product proposes for its loans, as Fineract''s template said last.';

-- ---------------------------------------------------------------- grants

grant select, insert on raw.raw_los_refused_row, raw.raw_fineract_loan_schedule to turno_app;
grant select, insert, update on
core.core_los_file, core.core_los_processed, core.core_loan_product_template
to turno_app;
grant select on
raw.raw_los_refused_row, raw.raw_fineract_loan_schedule, core.core_los_file, core.core_los_processed,
core.core_loan_product_template
to turno_dbt;
grant select on core.core_los_processed to turno_receiver;
