-- Rows and rupees of all files that were loaded, by what became of each row.
select
    log.lender,
    part.disposition,
    sum(part.count) as rows_total,
    sum(part.paise) / 100.0::numeric as rupees_total
from raw.raw_s3_file_processing_log as log
cross join lateral (
    values
    ('accepted', log.rows_accepted, log.paise_accepted),
    ('filtered', log.rows_filtered, log.paise_filtered),
    ('duplicate', log.rows_duplicate, log.paise_duplicate),
    ('rejected', log.rows_rejected, log.paise_rejected)
) as part (disposition, count, paise)
where log.state in ('loaded', 'loaded_empty', 'superseded')
group by log.lender, part.disposition
