update core.core_payment_link
set
    state = %(state)s,
    amount = %(amount)s,
    client_id = %(client_id)s,
    accept_partial = %(accept_partial)s,
    expires_at = %(expires_at)s,
    quoted_at = %(quoted_at)s,
    sent_at = now(),
    changed_at = now(),
    changed_by_run = %(run)s
where link_id = %(link_id)s and state in ('planned', 'sending')
