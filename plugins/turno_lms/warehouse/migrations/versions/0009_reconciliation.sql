-- Reconciliation, complete (docs/decisions/0019-reconciliation-explains-every-rupee.md).

-- ---------------------------------------------------------------- what a lender's mapping says about it

create table core.core_lender_recon_rule (
    lender text primary key references core.core_lender,
    date_tolerance_days integer not null check (date_tolerance_days between 0 and 10),
    amount_tolerance numeric(18, 2) not null check (amount_tolerance >= 0),
    expected_days integer not null check (expected_days between 0 and 31),
    sla jsonb not null
);
comment on column core.core_lender_recon_rule.sla is
'[{"above_rupees": 0, "hours": 72}, ...]: the hours of the highest step that an exception''s rupees reach.';

create table core.core_lender_rate_card (
    lender text not null references core.core_lender,
    gateway text not null check (gateway in ('razorpay', 'cashfree')),
    method text not null,
    percent numeric(7, 4) not null check (percent >= 0),
    flat numeric(18, 2) not null check (flat >= 0),
    gst_percent numeric(5, 2) not null check (gst_percent >= 0),
    primary key (lender, gateway, method)
);
comment on table core.core_lender_rate_card is
'What a gateway may keep of a payment: percent of the amount and a flat sum, and GST on both. Method `other`: the rest.';

alter table core.core_lender_file_kind
drop constraint core_lender_file_kind_payment_id_is_check,
drop constraint core_lender_file_kind_sub_reference_id_is_check,
add constraint core_lender_file_kind_payment_id_is_check
check (payment_id_is in ('razorpay', 'cashfree', 'bank_reference', 'settlement', 'own')),
add constraint core_lender_file_kind_sub_reference_id_is_check
check (sub_reference_id_is in ('razorpay', 'cashfree', 'bank_reference', 'settlement', 'own'));
comment on column core.core_lender_file_kind.sub_reference_id_is is
'`settlement`: the UTR of a transfer that covers several payments, so that it is no payment''s own.';

grant select, insert, update, delete on core.core_lender_recon_rule, core.core_lender_rate_card to turno_app;
grant select on core.core_lender_recon_rule, core.core_lender_rate_card to turno_dbt;

-- ---------------------------------------------------------------- landing: what gateways settled

create table raw.raw_gateway_settlement_report (
    report_id bigint generated always as identity primary key,
    gateway text not null check (gateway in ('razorpay', 'cashfree')),
    lender text not null,
    source text not null check (source in ('file', 'api')),
    name text not null,
    sha256 text not null,
    lines integer not null,
    lines_new integer not null,
    rupees_net numeric(18, 2) not null,
    landed_at timestamptz not null default now(),
    landed_by_run text not null,
    unique (gateway, lender, source, name, sha256)
);
comment on table raw.raw_gateway_settlement_report is
'A settlement report as it came: a file in the bucket, or the answer of the gateway''s API for a day. Append-only.';

create table raw.raw_gateway_settlement_line (
    line_id bigint generated always as identity primary key,
    report_id bigint not null references raw.raw_gateway_settlement_report,
    line_number integer not null,
    gateway text not null,
    lender text not null,
    entity text not null check (entity in ('payment', 'refund', 'adjustment', 'other')),
    entity_id text not null,
    gateway_payment_id text,
    method text,
    amount numeric(18, 2) not null,
    fee numeric(18, 2) not null,
    tax numeric(18, 2),
    net numeric(18, 2) not null,
    settlement_id text not null,
    settlement_utr text,
    settled_on date,
    payload jsonb not null
);
comment on column raw.raw_gateway_settlement_line.fee is
'What the gateway kept, GST included. Null tax: the report does not part them.';
comment on column raw.raw_gateway_settlement_line.net is 'What reached the bank for it: negative for refunds.';
create unique index raw_gateway_settlement_line_once
on raw.raw_gateway_settlement_line (gateway, lender, settlement_id, entity, entity_id);
create index raw_gateway_settlement_line_payment on raw.raw_gateway_settlement_line (gateway, gateway_payment_id);
create index raw_gateway_settlement_line_report on raw.raw_gateway_settlement_line (report_id);
create index raw_razorpay_api_settlement on raw.raw_razorpay_api (received_at) where event_type = 'settlement.processed';
create index raw_cashfree_api_settlement on raw.raw_cashfree_api (received_at) where event_type = 'SETTLEMENT_SUCCESS';
grant select, insert on raw.raw_gateway_settlement_report, raw.raw_gateway_settlement_line to turno_app;
grant select on raw.raw_gateway_settlement_report, raw.raw_gateway_settlement_line to turno_dbt;

-- ---------------------------------------------------------------- landing: loans in full, and as their lenders see them

create table raw.raw_fineract_loan_detail (
    detail_id bigint generated always as identity primary key,
    fineract_loan_id bigint not null,
    external_id text not null,
    status_id integer not null,
    summary jsonb not null,
    transactions jsonb not null,
    payload_md5 text not null,
    taken_at timestamptz not null default now(),
    taken_by_run text not null
);
comment on table raw.raw_fineract_loan_detail is
'A loan with its transactions, in one answer of Fineract, so that both are of one moment. Appended only when it changed.';
create index raw_fineract_loan_detail_loan on raw.raw_fineract_loan_detail (fineract_loan_id, detail_id);

create table core.core_loan_look (
    fineract_loan_id bigint primary key,
    snapshot_id bigint not null,
    looked_at timestamptz not null,
    looked_by_run text not null
);
comment on table core.core_loan_look is
'When a loan was last fetched in full, and after which snapshot: what changed since comes first, then the longest ago.';

create table raw.raw_lender_loan_statement (
    statement_id bigint generated always as identity primary key,
    lender text not null,
    source_file text not null,
    sha256 text not null,
    line_number integer not null,
    loan_id text not null,
    as_of date not null,
    principal_outstanding numeric(18, 2),
    interest_outstanding numeric(18, 2),
    fees_outstanding numeric(18, 2),
    penalties_outstanding numeric(18, 2),
    total_outstanding numeric(18, 2) not null,
    days_past_due integer check (days_past_due >= 0),
    status text check (status in ('active', 'closed', 'written_off')),
    landed_at timestamptz not null default now(),
    landed_by_run text not null,
    unique (lender, as_of, loan_id)
);
comment on table raw.raw_lender_loan_statement is
'What a lender says of its loans on a day, where it sends balances. The first statement of a day stands.';
grant select, insert on raw.raw_fineract_loan_detail, raw.raw_lender_loan_statement to turno_app;
grant select, insert, update on core.core_loan_look to turno_app;
grant select on raw.raw_fineract_loan_detail, raw.raw_lender_loan_statement, core.core_loan_look to turno_dbt;

-- ---------------------------------------------------------------- matches

alter table core.core_recon_match
add column days integer not null default 0,
add column rupees numeric(18, 2) not null default 0,
add column alternatives integer not null default 0,
add column is_canonical boolean not null default false,
add column canonical_posting_key text,
add column rules_version text not null default '1',
add column reason text;
comment on column core.core_recon_match.days is 'The file''s business date less the gateway''s, in days.';
comment on column core.core_recon_match.rupees is 'The gateway''s rupees less the file''s; of a group, of both sums.';
comment on column core.core_recon_match.alternatives is 'How many other records of the other side were as good under the rule.';
comment on column core.core_recon_match.is_canonical is 'The member of the channel that posts: the group is posted through it alone.';
comment on column core.core_recon_match.canonical_posting_key is
'The payment through which the group is posted; null where no channel that posts is in it.';
create index core_recon_match_evidence on core.core_recon_match (posting_key)
where not is_canonical and canonical_posting_key is not null;

create index core_recon_match_key on core.core_recon_match (recon_match_key);

-- what was matched before had both members under the posting keys they still have
update core.core_recon_match as found
set is_canonical = identity.is_posting_channel
from core.core_payment_identity as identity
where found.native_reference = identity.native_reference;
update core.core_recon_match as found
set canonical_posting_key = canonical.posting_key
from core.core_recon_match as canonical
where found.match_group = canonical.match_group and canonical.is_canonical;

create table core.core_recon_match_undone (
    like core.core_recon_match,
    undone_at timestamptz not null default now(),
    undone_by text not null,
    undo_reason text not null check (btrim(undo_reason) <> ''),
    primary key (match_id)
);
comment on table core.core_recon_match_undone is
'Matches that a person took apart, with approval. No rule makes the same group again. Insert-only.';
create index core_recon_match_undone_group on core.core_recon_match_undone (match_group);
grant select, insert on core.core_recon_match_undone to turno_app;
grant select on core.core_recon_match_undone to turno_dbt;

-- ---------------------------------------------------------------- exceptions

alter table core.core_recon_exception
drop constraint core_recon_exception_state_check,
add constraint core_recon_exception_state_check check (state in ('open', 'resolved', 'cleared', 'written_off')),
add column progress text not null default 'open' check (progress in ('open', 'assigned', 'waiting')),
add column class text not null default 'mismatched' check (class in ('expected', 'mismatched')),
add column owner text,
add column waits_until date,
add column note text,
add column handled_by text,
add constraint assigned_has_an_owner check (progress <> 'assigned' or owner is not null),
add constraint written_off_has_a_reason check (state <> 'written_off' or btrim(close_reason) <> '');
comment on column core.core_recon_exception.progress is
'How far a person has come while it is open. Rooms ask for state = ''open''; people see both as one life.';
comment on column core.core_recon_exception.class is
'expected: the other side is not due yet, and it clears when that arrives. mismatched: it is.';
create index core_recon_exception_subject on core.core_recon_exception (subject);

create function core.recon_life(of_state text, of_progress text) returns text
language sql immutable
return case when of_state = 'open' then of_progress else of_state end;
comment on function core.recon_life is 'open, assigned or waiting; then resolved, cleared (by new data) or written_off.';

create function core.recon_age(days integer) returns text
language sql immutable
return case
    when days <= 1 then '0-1'
    when days <= 3 then '2-3'
    when days <= 7 then '4-7'
    when days <= 30 then '8-30'
    else '31+'
end;
comment on function core.recon_age is 'The ageing bucket of a number of days.';

create table core.core_recon_exception_event (
    event_id bigint generated always as identity primary key,
    exception_id bigint not null references core.core_recon_exception,
    happened_at timestamptz not null default now(),
    event text not null check (event in ('opened', 'changed', 'handled', 'closed', 'reopened')),
    life text not null,
    class text not null,
    owner text,
    amount numeric(18, 2),
    detail jsonb not null,
    actor text,
    note text
);
comment on table core.core_recon_exception_event is
'Every step in the life of every exception, whichever room took it. Append-only: written by the table''s own trigger.';
create index core_recon_exception_event_exception on core.core_recon_exception_event (exception_id, event_id);
grant select, insert on core.core_recon_exception_event to turno_app;
grant select on core.core_recon_exception_event to turno_dbt;

create function core.note_opened_exceptions() returns trigger
language plpgsql as $$
begin
    insert into core.core_recon_exception_event (exception_id, event, life, class, owner, amount, detail, actor)
    select exception_id, 'opened', core.recon_life(state, progress), class, owner, amount, detail, opened_by_run
    from opened;
    return null;
end $$;

create function core.note_changed_exceptions() returns trigger
language plpgsql as $$
begin
    insert into core.core_recon_exception_event
        (exception_id, event, life, class, owner, amount, detail, actor, note)
    select
        later.exception_id,
        case
            when later.state <> 'open' and earlier.state = 'open' then 'closed'
            when later.state = 'open' and earlier.state <> 'open' then 'reopened'
            when
                (later.progress, later.owner, later.waits_until, later.note)
                is distinct from (earlier.progress, earlier.owner, earlier.waits_until, earlier.note)
                then 'handled'
            else 'changed'
        end,
        core.recon_life(later.state, later.progress),
        later.class,
        later.owner,
        later.amount,
        later.detail,
        case when later.state <> 'open' then later.closed_by else later.handled_by end,
        case when later.state <> 'open' then later.close_reason else later.note end
    from later
    inner join earlier on later.exception_id = earlier.exception_id
    where
        (
            later.state, later.progress, later.owner, later.waits_until, later.note, later.class, later.amount,
            later.detail
        ) is distinct from (
            earlier.state, earlier.progress, earlier.owner, earlier.waits_until, earlier.note, earlier.class,
            earlier.amount, earlier.detail
        );
    return null;
end $$;

create trigger note_opened after insert on core.core_recon_exception
referencing new table as opened for each statement execute function core.note_opened_exceptions();
create trigger note_changed after update on core.core_recon_exception
referencing old table as earlier new table as later
for each statement execute function core.note_changed_exceptions();

insert into core.core_recon_exception_event
    (exception_id, happened_at, event, life, class, amount, detail, actor)
select exception_id, opened_at, 'opened', 'open', class, amount, detail, opened_by_run
from core.core_recon_exception;
insert into core.core_recon_exception_event
    (exception_id, happened_at, event, life, class, amount, detail, actor, note)
select exception_id, closed_at, 'closed', state, class, amount, detail, closed_by, close_reason
from core.core_recon_exception
where state <> 'open' and closed_at is not null;

create view core.core_recon_exception_standing as
select
    exception.*,
    core.recon_life(exception.state, exception.progress) as life,
    age.days as age_days,
    core.recon_age(age.days) as age,
    due.due_at,
    exception.state = 'open' and due.due_at < now() as is_overdue
from core.core_recon_exception as exception
left join core.core_lender_recon_rule as rule on exception.lender = rule.lender
cross join lateral (
    select
        (
            (coalesce(exception.closed_at, now()) at time zone 'Asia/Kolkata')::date
            - (exception.opened_at at time zone 'Asia/Kolkata')::date
        ) as days
) as age
cross join lateral (
    select
        case
            when exception.class = 'mismatched'
                then exception.opened_at + make_interval(hours => coalesce(max(step.hours), 72))
        end as due_at
    from (
        select (each ->> 'hours')::integer as hours
        from jsonb_array_elements(rule.sla) as each
        where (each ->> 'above_rupees')::numeric <= coalesce(abs(exception.amount), 0)
        order by (each ->> 'above_rupees')::numeric desc
        limit 1
    ) as step
) as due;
comment on view core.core_recon_exception_standing is
'Exceptions with their life, age in days (IST) and when they are due under the lender''s rule (72 hours without one).';
grant select on core.core_recon_exception_standing to turno_app, turno_dbt;

create table core.core_recon_daily (
    day date not null,
    lender text not null,
    measure text not null check (measure in ('payment', 'exception')),
    status text not null,
    age text not null,
    items integer not null,
    rupees numeric(18, 2) not null,
    taken_at timestamptz not null default now(),
    taken_by_run text not null,
    primary key (day, lender, measure, status, age)
);
comment on table core.core_recon_daily is
'How reconciliation stood at the last run of a day (IST): payments by status, open exceptions by kind, each by age.';
grant select, insert, update, delete on core.core_recon_daily to turno_app;
grant select on core.core_recon_daily to turno_dbt;
