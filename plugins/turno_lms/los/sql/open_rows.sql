select
    processed.operation,
    processed.submission_id,
    processed.caller,
    processed.reference,
    submission.payload,
    processed.submitted_at,
    processed.state,
    processed.attempt,
    processed.tries,
    processed.accepted_reasons,
    processed.next_try_at <= clock_timestamp() as is_due
from core.core_los_processed as processed
inner join raw.raw_los_submission as submission
    on processed.operation = submission.operation and processed.submission_id = submission.submission_id
where processed.subject = %(subject)s and processed.state in ('queued', 'in_flight', 'waiting', 'unknown')
order by processed.submitted_at, processed.reference
