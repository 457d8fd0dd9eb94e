select
    submission.submission_id,
    submission.operation,
    submission.reference,
    submission.caller,
    processed.loan_id,
    coalesce(processed.state, 'received') as state,
    processed.reason,
    processed.message,
    processed.tries,
    submission.received_at,
    processed.waiting_since,
    processed.ended_at,
    processed.decided_by,
    processed.decision_reason,
    processed.claimed_by_run,
    processed.ended_by_run,
    processed.result
from raw.raw_los_submission as submission
left join core.core_los_processed as processed
    on submission.operation = processed.operation and submission.submission_id = processed.submission_id
