create temporary table settlement_line (
    number integer not null,
    entity text not null,
    entity_id text not null,
    payment_id text,
    method text,
    amount numeric(18, 2) not null,
    fee numeric(18, 2) not null,
    tax numeric(18, 2),
    net numeric(18, 2) not null,
    settlement_id text not null,
    utr text,
    settled_on date,
    payload jsonb not null
)
