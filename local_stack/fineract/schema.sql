-- State of the stand-in. Sums are whole paise, dates ISO text, JSON text where a real server's columns are not looked into.
create table if not exists configuration (
    id integer primary key,
    name text not null unique,
    enabled integer not null,
    value integer
);
insert or ignore into configuration (id, name, enabled, value) values
    (1, 'maker-checker', 0, null),
    (2, 'rounding-mode', 1, 6),
    (3, 'enable-address', 0, null),
    (4, 'enable-business-date', 0, null),
    (5, 'enable-automatic-cob-date-adjustment', 1, null),
    (6, 'enable-auto-generated-external-id', 0, null);

create table if not exists business_date (
    type text primary key,
    date text not null
);

create table if not exists payment_type (
    id integer primary key autoincrement,
    name text not null,
    description text,
    is_cash_payment integer not null,
    position integer not null
);
insert or ignore into payment_type (id, name, description, is_cash_payment, position)
    values (1, 'Money Transfer', 'Money Transfer', 1, 1);

create table if not exists client (
    id integer primary key autoincrement,
    account_no text unique,
    external_id text unique,
    mobile_no text unique,
    status integer not null,
    submitted_on text not null,
    activated_on text,
    details text not null
);

create table if not exists loan_product (
    id integer primary key autoincrement,
    name text not null unique,
    short_name text not null unique,
    external_id text unique,
    details text not null
);

create table if not exists loan (
    id integer primary key autoincrement,
    account_no text unique,
    external_id text unique,
    client_id integer not null references client (id),
    product_id integer not null references loan_product (id),
    status integer not null,
    version integer not null default 1,
    principal integer not null,
    proposed_principal integer not null,
    approved_principal integer,
    overpaid integer not null default 0,
    terms text not null,
    submitted_on text not null,
    expected_disbursement_on text not null,
    approved_on text,
    disbursed_on text,
    rejected_on text,
    withdrawn_on text,
    closed_on text,
    overpaid_on text
);

create table if not exists installment (
    loan_id integer not null references loan (id),
    number integer not null,
    from_date text not null,
    due_date text not null,
    principal integer not null,
    interest integer not null,
    fee integer not null,
    penalty integer not null,
    principal_paid integer not null default 0,
    interest_paid integer not null default 0,
    fee_paid integer not null default 0,
    penalty_paid integer not null default 0,
    interest_waived integer not null default 0,
    fee_waived integer not null default 0,
    penalty_waived integer not null default 0,
    paid_in_advance integer not null default 0,
    paid_late integer not null default 0,
    met_on text,
    primary key (loan_id, number)
) without rowid;

-- `replaced` marks a row that a replay reversed: hidden in answers, its external id moved to the row that took its place
create table if not exists loan_transaction (
    id integer primary key autoincrement,
    loan_id integer not null references loan (id),
    type integer not null,
    date text not null,
    submitted_on text not null,
    amount integer not null,
    principal integer not null default 0,
    interest integer not null default 0,
    fee integer not null default 0,
    penalty integer not null default 0,
    overpayment integer not null default 0,
    balance integer not null default 0,
    external_id text unique,
    reversal_external_id text unique,
    manually_reversed integer not null default 0,
    reversed_on text,
    replaced integer not null default 0,
    replays integer references loan_transaction (id),
    payment text,
    loan_charge_id integer
);
create index if not exists loan_transaction_of_loan on loan_transaction (loan_id, date, id);

create table if not exists loan_lock (
    loan_id integer primary key references loan (id)
);

-- the idempotency store: one row for every command ever begun
create table if not exists command (
    id integer primary key autoincrement,
    action text not null,
    entity text not null,
    idempotency_key text not null check (length(idempotency_key) <= 50),
    status integer not null,
    result_status integer,
    result blob,
    unique (action, entity, idempotency_key)
);

create table if not exists charge (
    id integer primary key autoincrement,
    name text not null unique,
    currency text not null,
    amount integer not null,
    penalty integer not null
);

create table if not exists loan_charge (
    id integer primary key autoincrement,
    loan_id integer not null references loan (id),
    charge_id integer not null references charge (id),
    external_id text unique,
    amount integer not null,
    due_date text not null,
    active integer not null default 1
);
create index if not exists loan_charge_of_loan on loan_charge (loan_id, due_date, id);

-- loans that were closed by foreclosure: the sub-status 100 in answers
create table if not exists foreclosed_loan (
    loan_id integer primary key references loan (id)
);
