-- Settlements, write-offs and foreclosures (docs/decisions/0021-resolutions.md). A reference is drawn before anything
-- is sent; every external id in Fineract begins with it.

create table core.core_settlement (
    settlement_ref text primary key,
    lender text not null,
    loan_id text not null,
    state text not null check (
        state in (
            'requested', 'rejected', 'expired', 'accepted', 'lapsed', 'stopped', 'executing', 'stuck', 'compensating',
            'compensated', 'done'
        )
    ),
    amount numeric(18, 2) not null check (amount > 0),
    dues_principal numeric(18, 2) not null,
    dues_interest numeric(18, 2) not null,
    dues_fees numeric(18, 2) not null,
    dues_penalties numeric(18, 2) not null,
    dues_total numeric(18, 2) not null,
    payoff numeric(18, 2),
    payoff_by text check (payoff_by in ('foreclosure', 'prepayLoan')),
    waived numeric(18, 2) not null,
    remainder numeric(18, 2) not null,
    ending text not null check (ending in ('goodwill_credit', 'write_off')),
    waiver_wish text [] not null,
    tolerance numeric(18, 2) not null,
    band text not null,
    approval_id bigint references core.core_approval,
    reason text not null check (btrim(reason) <> ''),
    evidence text not null check (btrim(evidence) <> ''),
    override_reason text,
    holds_money boolean not null default false,
    requested_by text not null,
    requested_by_run text not null,
    requested_at timestamptz not null default now(),
    accepted_at timestamptz,
    executed_on date,
    executed_dues numeric(18, 2),
    executed_paid numeric(18, 2),
    executed_waived numeric(18, 2),
    executed_remainder numeric(18, 2),
    fineract_status integer,
    fineract_outstanding numeric(18, 2),
    last_error text,
    ended_at timestamptz,
    constraint quoted_figures_tie check (
        dues_total = dues_principal + dues_interest + dues_fees + dues_penalties
        and dues_total = amount + waived + remainder
    ),
    constraint executed_figures_tie check (
        executed_dues is null or executed_dues = executed_paid + executed_waived + executed_remainder
    )
);
comment on table core.core_settlement is
'A loan closed for less than it owes: the quote, the decision and how it ended. Its steps: core_resolution_step.';
comment on column core.core_settlement.holds_money is
'Whether the loan''s incoming money is held for it: from approval on, for a plan once only its last promise is open.';

create table core.core_settlement_promise (
    settlement_ref text not null references core.core_settlement,
    number integer not null,
    due_on date not null,
    amount numeric(18, 2) not null check (amount > 0),
    state text not null check (state in ('open', 'met', 'missed')),
    decided_at timestamptz,
    primary key (settlement_ref, number)
);
comment on table core.core_settlement_promise is 'The payments promised for a settlement; a one-off is a single promise.';

create table core.core_write_off (
    write_off_ref text primary key,
    lender text not null,
    loan_id text not null,
    state text not null check (
        state in (
            'requested', 'rejected', 'expired', 'accepted', 'stopped', 'executing', 'stuck', 'compensating',
            'compensated', 'done', 'undoing', 'undone'
        )
    ),
    request_key text not null,
    dues_principal numeric(18, 2) not null,
    dues_interest numeric(18, 2) not null,
    dues_fees numeric(18, 2) not null,
    dues_penalties numeric(18, 2) not null,
    dues_total numeric(18, 2) not null check (dues_total > 0),
    days_past_due integer not null,
    charges_off boolean not null,
    charge_off_reason_id integer,
    band text not null,
    approval_id bigint references core.core_approval,
    undo_approval_id bigint references core.core_approval,
    reason text not null check (btrim(reason) <> ''),
    undo_reason text,
    override_reason text,
    requested_by text not null,
    requested_by_run text not null,
    requested_at timestamptz not null default now(),
    accepted_at timestamptz,
    executed_on date,
    fineract_status integer,
    fineract_outstanding numeric(18, 2),
    last_error text,
    ended_at timestamptz,
    constraint write_off_figures_tie check (
        dues_total = dues_principal + dues_interest + dues_fees + dues_penalties
    )
);
comment on table core.core_write_off is
'A loan written off: eligibility, decision and end. What comes in later is a recovery of the ledger.';
create index core_write_off_request on core.core_write_off (request_key);

create table core.core_foreclosure (
    foreclosure_ref text primary key,
    lender text not null,
    loan_id text not null,
    state text not null check (
        state in (
            'requested', 'accepted', 'lapsed', 'stopped', 'executing', 'stuck', 'compensating', 'compensated', 'done'
        )
    ),
    quoted_on date not null,
    quoted_principal numeric(18, 2) not null,
    quoted_interest numeric(18, 2) not null,
    quoted_fees numeric(18, 2) not null,
    quoted_penalties numeric(18, 2) not null,
    quoted_total numeric(18, 2) not null check (quoted_total > 0),
    posting_key text,
    reason text not null check (btrim(reason) <> ''),
    override_reason text,
    requested_by text not null,
    requested_by_run text not null,
    requested_at timestamptz not null default now(),
    accepted_at timestamptz,
    executed_on date,
    fineract_status integer,
    fineract_outstanding numeric(18, 2),
    last_error text,
    ended_at timestamptz,
    constraint foreclosure_figures_tie check (
        quoted_total = quoted_principal + quoted_interest + quoted_fees + quoted_penalties
    )
);
comment on table core.core_foreclosure is
'A loan paid off early: Fineract''s figure of that day and the payment that met it. What a no-objection certificate says.';

create table core.core_resolution_step (
    resolution_ref text not null,
    position integer not null,
    loan_id text not null,
    kind text not null check (
        kind in (
            'waive_charge', 'waive_interest', 'adjust_charge', 'post_money', 'goodwill_credit', 'charge_off', 'write_off',
            'foreclose'
        )
    ),
    amount numeric(18, 2) not null check (amount >= 0),
    charge_id bigint,
    reason_id integer,
    external_id text not null unique,
    booked_on date not null,
    state text not null check (
        state in ('pending', 'sent', 'done', 'refused', 'in_doubt', 'undoing', 'undone', 'dropped')
    ),
    attempt integer not null default 1,
    tries integer not null default 0,
    fence bigint,
    fineract_transaction_id bigint,
    last_error text,
    sent_at timestamptz,
    ended_at timestamptz,
    ended_by_run text,
    primary key (resolution_ref, position)
);
comment on table core.core_resolution_step is
'One change of a loan in Fineract, carried out exactly once under its external id, or undone.';

create table core.core_resolution_money (
    posting_key text primary key,
    resolution_ref text not null,
    loan_id text not null,
    amount numeric(18, 2) not null check (amount > 0),
    business_date date not null,
    booked_on date not null,
    posted_by text not null check (posted_by in ('ledger', 'foreclosure')),
    is_released boolean not null default false,
    taken_at timestamptz not null default now()
);
comment on table core.core_resolution_money is
'Payments that a settlement or foreclosure took: booked on its day, not on their own. Released, they are ordinary again.';
create index core_resolution_money_resolution on core.core_resolution_money (resolution_ref);

create table core.core_resolution_event (
    event_id bigint generated always as identity primary key,
    resolution_ref text not null,
    loan_id text not null,
    event text not null,
    actor text not null,
    run text not null,
    detail jsonb not null default '{}',
    happened_at timestamptz not null default clock_timestamp()
);
comment on table core.core_resolution_event is 'Who did what to a resolution, when and with which figures. Append-only.';
create index core_resolution_event_resolution on core.core_resolution_event (resolution_ref, event_id);

create view core.core_open_resolution as
select
    settlement_ref as resolution_ref,
    'settlement' as kind,
    loan_id,
    state,
    state in ('executing', 'stuck', 'compensating') or (state = 'accepted' and holds_money) as holds_money
from core.core_settlement
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating')
union all
select
    write_off_ref,
    'write_off',
    loan_id,
    state,
    state <> 'requested'
from core.core_write_off
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating', 'undoing')
union all
select
    foreclosure_ref,
    'foreclosure',
    loan_id,
    state,
    state <> 'requested'
from core.core_foreclosure
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating');
comment on view core.core_open_resolution is
'What is under way, at most one per loan, and whether the loan''s incoming money is held for it.';

create unique index core_settlement_one_open on core.core_settlement (loan_id)
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating');
create unique index core_write_off_one_open on core.core_write_off (loan_id)
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating', 'undoing');
create unique index core_foreclosure_one_open on core.core_foreclosure (loan_id)
where state in ('requested', 'accepted', 'executing', 'stuck', 'compensating');

grant select, insert, update on core.core_settlement, core.core_settlement_promise, core.core_write_off,
core.core_foreclosure, core.core_resolution_step, core.core_resolution_money to turno_app;
grant select, insert on core.core_resolution_event to turno_app;
grant select on core.core_open_resolution to turno_app, turno_dbt;
grant select on core.core_settlement, core.core_settlement_promise, core.core_write_off, core.core_foreclosure,
core.core_resolution_step, core.core_resolution_money, core.core_resolution_event to turno_dbt;

create view core.core_settlement_payable as
select
    settlement.settlement_ref,
    settlement.lender,
    settlement.loan_id,
    promise.number,
    promise.due_on,
    promise.amount
from core.core_settlement as settlement
inner join core.core_settlement_promise as promise on settlement.settlement_ref = promise.settlement_ref
where settlement.state = 'accepted' and promise.state = 'open';
comment on view core.core_settlement_payable is
'Promises that wait for money: what a payment link of purpose `settlement` may be made for, and up to which day.';
grant select on core.core_settlement_payable to turno_app, turno_dbt;

create view core.core_written_off_loan as
select loan_id
from core.core_write_off
where state = 'done'
union
select loan_id
from core.core_settlement
where state = 'done' and ending = 'write_off' and executed_remainder > 0;
comment on view core.core_written_off_loan is 'Loans that we wrote off: money that comes in for them is a recovery.';
grant select on core.core_written_off_loan to turno_app, turno_dbt;
