-- Still open. A wait is looked at again sooner while it is young, and at once when what it waits for is done (wake.sql).
update core.core_los_processed
set
    state = %(state)s,
    reason = %(reason)s,
    message = %(message)s,
    attempt = attempt + %(spent)s,
    waiting_since = case when %(state)s = 'waiting' then coalesce(waiting_since, now()) end,
    next_try_at = coalesce(
        %(not_before)s::timestamptz,
        clock_timestamp() + %(seconds)s::double precision * interval '1 second',
        clock_timestamp()
        + least(greatest(now() - coalesce(waiting_since, now()), interval '1 minute'), interval '30 minutes')
    ),
    changed_at = now()
where operation = %(operation)s and submission_id = %(submission_id)s
