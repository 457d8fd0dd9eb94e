update core.core_los_processed
set
    state = %(state)s,
    accepted_reasons = case
        when %(accepted)s::text is null then accepted_reasons else array_append(accepted_reasons, %(accepted)s)
    end,
    attempt = attempt + 1,
    tries = 0, reason = null, message = null, next_try_at = clock_timestamp(), waiting_since = null,
    ended_at = case when %(state)s = 'dropped' then now() end,
    decided_by = %(decided_by)s, decision_reason = %(decision_reason)s, changed_at = now()
where operation = %(operation)s and submission_id = %(submission_id)s
