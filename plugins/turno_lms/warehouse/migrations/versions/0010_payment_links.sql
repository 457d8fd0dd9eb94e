-- Payment links (docs/decisions/0020-payment-links.md).

create table core.core_payment_link (
    link_id bigint generated always as identity primary key,
    reference text not null unique check (length(reference) <= 40),
    lender text not null references core.core_lender,
    loan_id text not null,
    gateway text not null check (gateway in ('razorpay', 'cashfree')),
    purpose text not null check (purpose in ('emi', 'overdue', 'outstanding')),
    client_id bigint not null,
    due_on date not null,
    attempt integer not null check (attempt >= 1),
    amount numeric(18, 2) not null check (amount > 0),
    state text not null check (
        state in (
            'planned', 'sending', 'open', 'partly_paid', 'cancelling', 'paid', 'expired', 'cancelled', 'failed', 'withdrawn'
        )
    ),
    gateway_link_id text,
    short_url text,
    accept_partial boolean not null,
    expires_at timestamptz,
    amount_paid numeric(18, 2) not null default 0 check (amount_paid >= 0),
    is_paid_after_end boolean not null default false,
    is_stale boolean not null default false,
    end_reason text,
    awaits_requote boolean not null default false,
    replaces bigint references core.core_payment_link,
    tries integer not null default 0,
    next_try_at timestamptz not null default now(),
    last_error text,
    quoted_at timestamptz not null default now(),
    polled_at timestamptz,
    created_at timestamptz not null default now(),
    created_by text not null,
    created_by_run text not null,
    sent_at timestamptz,
    changed_at timestamptz not null default now(),
    changed_by_run text not null,
    ended_at timestamptz,
    unique (loan_id, due_on, purpose, attempt)
);
comment on table core.core_payment_link is
'One row for every link that was planned, stored before the gateway is asked. It holds no personal data.';
comment on column core.core_payment_link.due_on is
'Which due it is for: the instalment''s date (emi), the latest overdue one (overdue), the loan''s maturity (outstanding).';
comment on column core.core_payment_link.quoted_at is
'When Fineract last said that this amount is due; what changed on the loan since then has the link looked at again.';
comment on column core.core_payment_link.awaits_requote is
'It was cancelled since its dues changed: a link for what is due now is still to be planned.';
comment on column core.core_payment_link.is_stale is
'Its dues changed and the gateway does not let it be cancelled: a person talks to the borrower.';
-- The states are those of turno_lms.domain.states.LIVE_LINK_STATES; a test holds the two together.
create unique index core_payment_link_one_live on core.core_payment_link (loan_id, due_on, purpose)
where state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling');
create index core_payment_link_live on core.core_payment_link (lender, gateway, next_try_at)
where state in ('planned', 'sending', 'open', 'partly_paid', 'cancelling');
create index core_payment_link_ended on core.core_payment_link (lender, gateway, ended_at)
where state in ('expired', 'cancelled');
create index core_payment_link_loan on core.core_payment_link (loan_id);
create index core_payment_link_requote on core.core_payment_link (lender) where awaits_requote;

create table core.core_payment_link_payment (
    gateway_payment_reference text primary key,
    link_id bigint not null references core.core_payment_link,
    amount numeric(18, 2) not null check (amount > 0),
    payer_differs boolean not null,
    told_by text not null check (told_by in ('webhook', 'poll')),
    told_at timestamptz not null default now(),
    told_to_run text not null
);
comment on table core.core_payment_link_payment is
'Money that a gateway collected through a link, by the reference under which it is a payment. Insert-only.';
create index core_payment_link_payment_link on core.core_payment_link_payment (link_id);

create table core.core_payment_link_reading (
    gateway text primary key check (gateway in ('razorpay', 'cashfree')),
    read_horizon bigint not null,
    read_at timestamptz not null default now()
);
comment on table core.core_payment_link_reading is
'Up to where the landed webhooks were read for links: the oldest transaction that was still open then.';

create table raw.raw_payment_link_call (
    call_id bigint generated always as identity primary key,
    reference text not null,
    gateway text not null,
    method text not null,
    path text not null,
    status_code integer,
    outcome text not null,
    duration_ms integer not null,
    request jsonb,
    response jsonb,
    called_by_run text not null,
    called_at timestamptz not null default now()
);
comment on table raw.raw_payment_link_call is
'Every HTTP attempt about a payment link, without credentials and with personal data masked. Landing, append-only.';
create index raw_payment_link_call_reference on raw.raw_payment_link_call (reference);

-- The life of the rupee, from link to Fineract. State tables alone, so that no rebuild of dbt's can take it away.
create view core.core_payment_link_life as
select
    link.link_id,
    link.reference,
    link.lender,
    link.loan_id,
    link.gateway,
    link.purpose,
    link.due_on,
    link.amount as link_amount,
    link.state as link_state,
    link.gateway_link_id,
    link.replaces,
    collected.gateway_payment_reference,
    collected.amount as payment_amount,
    coalesce(decision.linked_posting_key, payment.posting_key) as posting_key,
    payment.loan_id as booked_on_loan,
    payment.business_date,
    coalesce(processed.outcome, queued.state) as posting_state,
    processed.fineract_transaction_id,
    processed.processed_at
from core.core_payment_link as link
left join core.core_payment_link_payment as collected on link.link_id = collected.link_id
left join lateral (
    select
        identity.posting_key,
        identity.loan_id,
        identity.business_date
    from core.core_payment_identity as identity
    where identity.gateway_payment_reference = collected.gateway_payment_reference
    order by identity.first_seen_at, identity.native_reference
    limit 1
) as payment on true
left join core.core_payment_decision as decision on payment.posting_key = decision.posting_key
left join core.core_transaction_data_processed as processed
    on processed.posting_key = coalesce(decision.linked_posting_key, payment.posting_key)
left join core.core_fineract_pending_transactions as queued
    on queued.posting_key = coalesce(decision.linked_posting_key, payment.posting_key);
comment on view core.core_payment_link_life is
'Link to payment to transaction to posting: one row for each payment of a link, one for a link without any.';

grant select, insert, update on core.core_payment_link, core.core_payment_link_reading to turno_app;
grant select, insert on core.core_payment_link_payment, raw.raw_payment_link_call to turno_app;
grant select on core.core_payment_link_life to turno_app;
grant select on core.core_payment_link, core.core_payment_link_payment, core.core_payment_link_life to turno_dbt;
