-- The identity step asks of each payment that arrives by itself whether a person entered it before.

create index core_payment_identity_manual on core.core_payment_identity (loan_id, amount)
where channel = 'manual' and matched_by = 'first_sight';
