-- Files by state. What an alert looks for is there as zero from the first day on: a rise from nothing would not show.
with counted as (
    select
        log.lender,
        log.state,
        count(*) as files
    from raw.raw_s3_file_processing_log as log
    group by log.lender, log.state
)

select
    counted.lender,
    counted.state,
    counted.files
from counted
union all
select
    lender.lender,
    bad.state,
    0 as files
from core.core_lender as lender
cross join unnest(array['refused', 'halted', 'failed']) as bad (state)
where not exists (select from counted where counted.lender = lender.lender and counted.state = bad.state)
