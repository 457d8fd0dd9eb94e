-- Posting, complete: the switch, approvals, manual repayments, reversals with their corrections, and how a repayment is
-- booked (docs/decisions/0013-approval-is-data.md).

-- ---------------------------------------------------------------- the switch

create table core.core_posting_switch (
    switch_id bigint generated always as identity primary key,
    lender text not null,
    channel text not null,
    state text not null check (state in ('open', 'draining', 'stopped')),
    reason text not null check (btrim(reason) <> ''),
    set_by text not null,
    set_at timestamptz not null default now()
);
comment on table core.core_posting_switch is
'What a person said about posting, append-only: the newest row of a lender and channel stands. `*` means all of them.';
create index core_posting_switch_newest on core.core_posting_switch (lender, channel, switch_id desc);

create view core.core_posting_switch_standing as
select distinct on (lender, channel)
    lender,
    channel,
    state,
    reason,
    set_by,
    set_at
from core.core_posting_switch
order by lender, channel, switch_id desc;
comment on view core.core_posting_switch_standing is 'The newest word on each lender and channel.';

create function core.posting_switch(for_lender text, for_channel text) returns text
language sql stable
begin atomic
select coalesce(
    (
        select standing.state
        from core.core_posting_switch_standing as standing
        where standing.lender in (for_lender, '*') and standing.channel in (for_channel, '*')  -- noqa: RF03
        order by array_position(array['stopped', 'draining', 'open'], standing.state)
        limit 1
    ),
    'open'
);
end;
comment on function core.posting_switch is 'The strictest word that stands for a lender''s channel; open where there is none.';

-- ---------------------------------------------------------------- the queue and the ledger

alter table core.core_fineract_pending_transactions
    add column channel text not null default '',
    add column kind text not null default 'repayment' check (kind in ('repayment', 'recovery'));
alter table core.core_fineract_transaction_archive
    add column kind text not null default 'repayment' check (kind in ('repayment', 'recovery')),
    add column ended_by text,
    drop constraint core_fineract_transaction_archive_outcome_check,
    add constraint core_fineract_transaction_archive_outcome_check
    check (outcome in ('posted', 'failed', 'withdrawn', 'reversed'));
comment on column core.core_fineract_transaction_archive.ended_by is
'The person who settled it, with the evidence in error_message; null where Fineract''s answer did.';
alter table core.core_transaction_data_processed
    add column kind text not null default 'repayment' check (kind in ('repayment', 'recovery')),
    drop constraint core_transaction_data_processed_outcome_check,
    add constraint core_transaction_data_processed_outcome_check
    check (outcome in ('posted', 'failed', 'withdrawn', 'reversed'));
comment on column core.core_fineract_pending_transactions.channel is
'The channel that posts it: what the switch is asked about.';

-- ---------------------------------------------------------------- approvals

create table core.core_approval (
    approval_id bigint generated always as identity primary key,
    purpose text not null,
    request_key text not null,
    figures jsonb not null,
    figures_hash text not null,
    state text not null check (state in ('requested', 'not_needed', 'approved', 'rejected', 'used')),
    requested_by text not null,
    requested_at timestamptz not null default now(),
    requested_by_run text not null,
    expires_at timestamptz not null,
    decided_by text,
    decided_at timestamptz,
    used_at timestamptz,
    used_by_run text,
    unique (purpose, request_key),
    constraint approver_is_not_the_requester check (decided_by is null or lower(decided_by) <> lower(requested_by)),
    constraint a_decision_has_a_decider check (state not in ('approved', 'rejected') or decided_by is not null)
);
comment on column core.core_approval.figures_hash is 'sha256 of the figures that were shown to the approver.';

-- ---------------------------------------------------------------- manual repayments

create table raw.raw_manual_repayment (
    manual_id bigint generated always as identity primary key,
    approval_id bigint not null references core.core_approval,
    line integer not null,
    lender text not null,
    loan_id text not null,
    amount text not null,
    date text not null,
    mode text not null,
    reference text,
    note text,
    entered_by text not null,
    entered_by_run text not null,
    _loaded_at timestamptz not null default now(),
    _txid bigint not null default pg_current_xact_id()::text::bigint,
    unique (approval_id, line)
);
comment on table raw.raw_manual_repayment is 'Repayments entered by hand, after validation and approval. Landing.';
create index raw_manual_repayment_txid on raw.raw_manual_repayment (_txid);

insert into core.core_lender_stream (lender, stream, channel, is_posting_channel, posting_policy)
select
    lender,
    'manual_repayments',
    'manual',
    true,
    'at_once'
from core.core_lender
on conflict do nothing;

-- ---------------------------------------------------------------- reversals and corrections

create table core.core_reversal (
    posting_key text primary key,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null,
    reason text not null check (btrim(reason) <> ''),
    state text not null check (state in ('prepared', 'requested', 'in_flight', 'done', 'refused', 'dropped')),
    requested_by text not null,
    requested_at timestamptz not null default now(),
    fence bigint,
    last_error text,
    ended_at timestamptz,
    ended_by_run text
);
comment on table core.core_reversal is 'A posted repayment that is to be undone in Fineract, and how that went.';

create table core.core_posting_correction (
    posting_key text primary key,
    corrects text not null references core.core_reversal,
    original_posting_key text not null,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null check (amount > 0),
    payment_type_id integer not null,
    bank_reference text,
    channel text not null,
    reason text not null,
    requested_by text not null,
    requested_at timestamptz not null default now()
);
comment on table core.core_posting_correction is
'What is posted in place of a reversed repayment, under the original''s key with -rM; claimed when the reversal is done.';

-- ---------------------------------------------------------------- the proof

create table core.core_loan_proof (
    loan_id text primary key,
    snapshot_id bigint,
    proved_at timestamptz not null,
    proved_by_run text not null
);
comment on table core.core_loan_proof is
'Up to which snapshot and moment a loan was proved, so that the daily proof looks at what has changed since.';
create index core_transaction_data_processed_at on core.core_transaction_data_processed (processed_at);
grant select, insert, update on core.core_loan_proof to turno_app;
grant select on core.core_loan_proof to turno_dbt;

grant select, insert on core.core_posting_switch, raw.raw_manual_repayment, core.core_posting_correction to turno_app;
grant select on core.core_posting_switch_standing to turno_app, turno_dbt;
grant select, insert, update on core.core_approval, core.core_reversal to turno_app;
grant select on core.core_posting_switch, core.core_approval, core.core_reversal, core.core_posting_correction,
raw.raw_manual_repayment to turno_dbt;
