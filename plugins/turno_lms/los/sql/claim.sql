-- A row of state for every submission that has none yet. The subjects come from the registry, operation by operation.
insert into core.core_los_processed (
    operation, submission_id, caller, reference, subject, loan_id, client_id, submitted_at, state, claimed_by_run
)
select
    submission.operation,
    submission.submission_id,
    submission.caller,
    submission.reference,
    subject.kind || ':' || (submission.payload ->> (subject.kind || '_id')) as subject,
    submission.payload ->> 'loan_id' as loan_id,
    submission.payload ->> 'client_id' as client_id,
    submission.received_at,
    'queued' as state,
    %(run)s
from raw.raw_los_submission as submission
inner join unnest(%(operations)s::text [], %(kinds)s::text []) as subject (operation, kind)
    on submission.operation = subject.operation
where
    not exists (
        select from core.core_los_processed as known
        where known.operation = submission.operation and known.submission_id = submission.submission_id
    )
on conflict do nothing
