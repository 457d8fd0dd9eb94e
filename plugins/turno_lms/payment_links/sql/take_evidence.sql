update core.core_payment_link
set
    state = %(state)s,
    gateway_link_id = coalesce(gateway_link_id, %(gateway_link_id)s),
    short_url = coalesce(short_url, %(short_url)s),
    amount = %(amount)s,
    amount_paid = %(amount_paid)s,
    is_paid_after_end = is_paid_after_end or %(is_late)s,
    ended_at = case when %(is_ended)s then coalesce(ended_at, now()) end,
    last_error = null,
    changed_at = now(),
    changed_by_run = %(run)s
where
    link_id = %(link_id)s
    and (
        (state, amount, amount_paid) is distinct from (%(state)s, %(amount)s, %(amount_paid)s)
        or (gateway_link_id is null and %(gateway_link_id)s::text is not null)
    )
