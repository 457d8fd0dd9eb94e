select processed.*
from core.core_los_processed as processed
where
    (%(operation)s::text is null or processed.operation = %(operation)s)
    and (%(reference)s::text is null or processed.reference = %(reference)s)
    and (%(caller)s::text is null or processed.caller = %(caller)s)
    and (%(state)s::text is null or processed.state = %(state)s)
    and (%(loan_id)s::text is null or processed.loan_id = %(loan_id)s)
order by processed.submitted_at, processed.operation, processed.reference
limit %(limit)s
