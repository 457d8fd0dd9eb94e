-- The cut-over from the former system (docs/decisions/0027-the-cut-over.md).

create table raw.raw_former_posting (
    posting_key text primary key,
    lender text not null,
    loan_id text not null,
    business_date date not null,
    amount numeric(18, 2) not null check (amount > 0),
    former_key text,
    fineract_transaction_id bigint,
    source_file text not null,
    sha256 text not null,
    line_number integer not null,
    landed_at timestamptz not null default now(),
    landed_by text not null
);
comment on table raw.raw_former_posting is
'What the former system says that it posted to Fineract, under the key that we would give it. Landing, append-only.';
comment on column raw.raw_former_posting.former_key is 'Its own key of the payment, where it had one.';
create index raw_former_posting_date on raw.raw_former_posting (business_date);
grant select, insert on raw.raw_former_posting to turno_poster;
grant select on raw.raw_former_posting to turno_reconciler, turno_console, turno_dbt;

alter table core.core_transaction_data_processed
drop constraint core_transaction_data_processed_outcome_check,
add constraint core_transaction_data_processed_outcome_check
check (outcome in ('posted', 'failed', 'withdrawn', 'reversed', 'historic'));
create index core_transaction_data_processed_historic
on core.core_transaction_data_processed (business_date) where outcome = 'historic';
