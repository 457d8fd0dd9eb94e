-- A step goes from one state to the next, unless somebody else has moved it.
update core.core_resolution_step
set
    state = %(state)s,
    fence = coalesce(%(fence)s, fence),
    attempt = attempt + %(raise_attempt)s,
    tries = tries + case when %(state)s = 'sent' then 1 else 0 end,
    fineract_transaction_id = coalesce(%(transaction_id)s, fineract_transaction_id),
    last_error = %(error)s,
    sent_at = case when %(state)s = 'sent' then clock_timestamp() else sent_at end,
    ended_at = case when %(is_ended)s then clock_timestamp() end,
    ended_by_run = case when %(is_ended)s then %(run)s end
where resolution_ref = %(ref)s and position = %(position)s and state = %(before)s
returning
    *,
    extract(epoch from clock_timestamp() - sent_at)::integer as seconds_since_sent
