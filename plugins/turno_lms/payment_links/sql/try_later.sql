update core.core_payment_link
set
    state = coalesce(%(state)s, state),
    next_try_at = clock_timestamp() + %(pause)s,
    last_error = %(error)s,
    changed_at = now(),
    changed_by_run = %(run)s
where link_id = %(link_id)s and state in ('planned', 'sending')
