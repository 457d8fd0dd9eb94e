update core.core_los_processed
set
    state = %(state)s, reason = %(reason)s, message = %(message)s, detail = %(detail)s, result = %(result)s,
    is_recognised = %(is_recognised)s, waiting_since = null, changed_at = now(),
    ended_at = case when %(state)s in ('done', 'refused', 'dropped') then now() end, ended_by_run = %(run)s
where operation = %(operation)s and submission_id = %(submission_id)s
