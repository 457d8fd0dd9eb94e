"""The SQL of the watch over expected files."""

LOCK = "select pg_advisory_xact_lock(hashtextextended('watch lender files', 0))"

# A kind is watched from the day on which a mapping with its calendar was first kept.
EXPECTED_SINCE = """
select min(kept_at) as since
from core.core_lender_mapping
where lender = %(lender)s and content -> 'files' -> %(kind)s ? 'expected'
"""

# A correction, and a file with the content of another, are not the next file that is waited for.
ARRIVALS = """
select file_id, key, state, coalesce(uploaded_at, received_at) as came_at
from raw.raw_s3_file_processing_log as log
where
    log.lender = %(lender)s and log.kind = %(kind)s and log.state <> 'same_content'
    and coalesce(log.uploaded_at, log.received_at) >= %(first)s
    and (
        %(same_name)s = 'adds'
        or not exists (
            select from raw.raw_s3_file_processing_log as before
            where before.bucket = log.bucket and before.key = log.key and before.file_id < log.file_id
        )
    )
order by came_at, file_id
"""

OPEN_OVERDUE = """
insert into core.core_recon_exception (kind, subject, lender, detail, opened_by_run)
select %(kind)s, %(subject)s, %(lender)s, %(detail)s, %(run)s
where not exists (
    select from core.core_recon_exception as settled
    where settled.kind = %(kind)s and settled.subject = %(subject)s and settled.state = 'resolved'
)
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
returning xmax = 0 as is_new
"""

CLEAR_OVERDUE = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = 'the file has come'
where kind = %(kind)s and state = 'open' and subject = any(%(come)s)
"""
