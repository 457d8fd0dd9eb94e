-- The step's working tables; assign.py drops them.
create temporary table sighting_read (like core.core_payment_sighting, frozen_posting_key text);

-- One row per sighting without an identity. Sightings of one unit carry a reference in common: one payment.
create temporary table new_sighting (
    native_reference text primary key,
    unit text not null,
    channel text not null,
    channel_order integer not null,
    stream text not null,
    is_posting_channel boolean not null,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null,
    source_key text not null,
    gateway_payment_reference text,
    bank_reference text
);

-- One row per unit: who speaks for it (its founder), what it may not be paired with, and the key it gets.
create temporary table payment_unit (
    unit text primary key,
    founder text not null,
    channel_order integer not null,
    source_key text not null,
    pairs_under text not null,
    channels text[] not null,
    reference_kinds text[] not null,
    posting_key text,
    occurrence integer,
    matched_by text,
    is_frozen boolean not null default false
);

-- The payments that the units at one place may pair with. `pairs_under` is lender, stream and source key in one column: the
-- planner takes several for independent, expects no row, and compares everything with everything.
create temporary table partner (
    posting_key text primary key,
    pairs_under text not null,
    occurrence integer not null,
    is_linked boolean not null,
    is_gone boolean not null,
    channels text[] not null,
    reference_kinds text[] not null
);

create temporary table touched_key (posting_key text primary key);

-- The sightings of the touched keys: what was frozen, and what each says now.
create temporary table told (
    effective_key text not null,
    is_linked boolean not null,
    posting_key text not null,
    native_reference text not null,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null,
    gateway_payment_reference text,
    bank_reference text,
    resolution_error text,
    loan_id_now text,
    business_date_now date,
    amount_now numeric(18, 2)
);

create temporary table conflict (posting_key text primary key, reasons jsonb);
