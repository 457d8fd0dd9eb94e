select
    submission.submission_id,
    submission.operation,
    submission.caller,
    submission.reference,
    submission.received_at
from raw.raw_los_submission as submission
