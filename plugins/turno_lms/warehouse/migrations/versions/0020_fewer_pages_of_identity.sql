-- Keys are hashes: each index of them costs a page of its own for every new payment, from disk once the index is larger
-- than memory. A posting key is its source key and occurrence, so that one index both finds founders and keeps them single.
drop index core.core_payment_identity_one_founder;
drop index core.core_payment_identity_source_key;
create unique index core_payment_identity_one_founder on core.core_payment_identity (source_key, occurrence)
where matched_by = 'first_sight';
alter table core.core_payment_identity add constraint core_payment_identity_founders_key check (
    matched_by <> 'first_sight'
    or posting_key = source_key || case when occurrence > 1 then '-o' || occurrence else '' end
);

-- The identity step asks of each payment that arrives by itself whether a person entered it before.
create index core_payment_identity_manual on core.core_payment_identity (loan_id, amount)
where channel = 'manual' and matched_by = 'first_sight';
