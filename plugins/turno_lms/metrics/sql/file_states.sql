-- Files by state.
select
    log.lender,
    log.state,
    count(*) as files
from raw.raw_s3_file_processing_log as log
group by log.lender, log.state
