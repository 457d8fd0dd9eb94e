update core.core_los_processed
set
    state = %(state)s, tries = tries + 1, fence = %(fence)s, reason = null, message = null, waiting_since = null,
    next_try_at = clock_timestamp(), changed_at = now()
where operation = %(operation)s and submission_id = %(submission_id)s
