-- Payment files whose rows or rupees do not add up: what the log says against RAW and the rows not accepted. No row:
-- all tie. A UMRN master's rows are mandates, not payments: they change raw_umrn_master, or find it as it is.
with accepted as (
    select
        _file_id as file_id,
        count(*) as row_count,
        sum((amount::numeric * 100)::bigint) as paise
    from raw.raw_payment_file
    group by _file_id
),

others as (
    select
        file_id,
        count(*) filter (where disposition = 'filtered') as filtered,
        count(*) filter (where disposition = 'duplicate') as duplicate,
        count(*) filter (where disposition = 'rejected') as rejected,
        coalesce(sum(amount_paise) filter (where disposition = 'filtered'), 0) as paise_filtered,
        coalesce(sum(amount_paise) filter (where disposition = 'duplicate'), 0) as paise_duplicate,
        coalesce(sum(amount_paise) filter (where disposition = 'rejected'), 0) as paise_rejected
    from raw.raw_rejected_records
    where fate <> 'replayed' -- it is in RAW now
    group by file_id
),

counted as (
    select
        log.file_id,
        log.key,
        log.state,
        log.state in ('loaded', 'loaded_empty', 'superseded') as is_loaded,
        array[
            log.rows_read, log.rows_accepted, log.rows_filtered, log.rows_duplicate, log.rows_rejected,
            log.paise_read, log.paise_accepted, log.paise_filtered, log.paise_duplicate, log.paise_rejected
        ]::numeric[] as logged,
        array[
            coalesce(accepted.row_count, 0) + coalesce(others.filtered + others.duplicate + others.rejected, 0),
            coalesce(accepted.row_count, 0),
            coalesce(others.filtered, 0),
            coalesce(others.duplicate, 0),
            coalesce(others.rejected, 0),
            coalesce(accepted.paise, 0)
            + coalesce(others.paise_filtered + others.paise_duplicate + others.paise_rejected, 0),
            coalesce(accepted.paise, 0),
            coalesce(others.paise_filtered, 0),
            coalesce(others.paise_duplicate, 0),
            coalesce(others.paise_rejected, 0)
        ]::numeric[] as stored,
        coalesce(accepted.row_count, 0) as raw_rows
    from raw.raw_s3_file_processing_log as log
    left join accepted on log.file_id = accepted.file_id
    left join others on log.file_id = others.file_id
    where log.kind is distinct from 'umrn_master'
)

select
    file_id,
    key,
    state,
    logged,
    stored
from counted
where (is_loaded and logged is distinct from stored) or (not is_loaded and raw_rows > 0)
order by file_id
