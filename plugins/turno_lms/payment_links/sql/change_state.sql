update core.core_payment_link
set
    state = %(state)s,
    end_reason = coalesce(%(reason)s, end_reason),
    ended_at = case when %(is_ended)s then now() end,
    changed_at = now(),
    changed_by_run = %(run)s
where link_id = %(link_id)s and state = %(from_state)s
