-- Operations that would bring about what a row waits for, and how they stand.
select
    processed.operation,
    processed.caller,
    processed.reference,
    processed.state,
    processed.reason
from core.core_los_processed as processed
where processed.subject = %(subject)s and processed.state <> 'done' and processed.operation = any(%(operations)s)
order by processed.submitted_at
limit 3
