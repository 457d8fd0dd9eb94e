-- Operations of the loan origination system that have not ended.
select
    submission.operation,
    submission.state,
    count(*) as operations
from core.core_los_processed as submission
where submission.state not in ('done', 'dropped')
group by submission.operation, submission.state
