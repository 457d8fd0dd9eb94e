insert into core.core_payment_decision (posting_key, decision, linked_posting_key, reason, decided_by)
values (%(key)s, %(decision)s, %(to)s, %(reason)s, %(actor)s)
on conflict (posting_key) do nothing
