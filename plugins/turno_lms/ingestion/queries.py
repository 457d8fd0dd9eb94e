"""The SQL of ingestion. Nothing but constants is ever put into a text; values are parameters."""

LOG_COLUMNS = """
file_id, bucket, key, etag, size_bytes, sha256, lender, kind, mapping_version, state, error_code, error_message,
rows_layout, rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected, rows_amount_unreadable,
paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected, same_content_as, superseded_by,
rows_superseded, paise_superseded, warning, handed_in_by, uploaded_at, received_at, dag_id, dag_run_id
"""

ADD_VERSION = """
insert into raw.raw_s3_file_processing_log
    (bucket, key, etag, size_bytes, lender, kind, mapping_version, state, uploaded_at, dag_id, dag_run_id)
values
    (%(bucket)s, %(key)s, %(etag)s, %(size_bytes)s, %(lender)s, %(kind)s, %(mapping_version)s, 'received',
     %(uploaded_at)s, %(dag_id)s, %(dag_run_id)s)
on conflict (bucket, key, etag) do nothing
"""

READ_VERSION = f"""
select {LOG_COLUMNS} from raw.raw_s3_file_processing_log
where bucket = %(bucket)s and key = %(key)s and etag = %(etag)s
for update
"""  # noqa: S608  # a constant

READ_LOG_ROW = f"""
select {LOG_COLUMNS} from raw.raw_s3_file_processing_log
where file_id = %s
for update
"""  # noqa: S608  # a constant

TAKE_UP = """
update raw.raw_s3_file_processing_log
set state = %(state)s, kind = %(kind)s, mapping_version = %(mapping_version)s, dag_id = %(dag_id)s,
    dag_run_id = %(dag_run_id)s, error_code = null, error_message = null, warning = null, finished_at = null
where file_id = %(file_id)s
"""

REPLACE_VERSION = """
update raw.raw_s3_file_processing_log set state = %s, superseded_by = %s where file_id = %s
"""

SAME_CONTENT = """
select file_id from raw.raw_s3_file_processing_log
where
    sha256 = %(sha256)s and lender = %(lender)s and file_id <> %(file_id)s
    and state in ('loaded', 'loaded_empty', 'superseded')
order by file_id
limit 1
"""

LAST_HEADINGS = """
select key, headings from raw.raw_s3_file_processing_log
where
    lender = %(lender)s and kind = %(kind)s and file_id <> %(file_id)s and headings is not null
    and state in ('loaded', 'loaded_empty', 'superseded')
order by finished_at desc nulls last, file_id desc
limit 1
"""

KNOWN_VERSIONS = """
select key, etag from raw.raw_s3_file_processing_log
where bucket = %(bucket)s and key = any(%(keys)s) and state not in ('received', 'archived', 'failed', 'superseded')
"""

LOCK_FILE = "select pg_advisory_lock(hashtextextended(%s, 0))"
UNLOCK_FILE = "select pg_advisory_unlock(hashtextextended(%s, 0))"
# Two files of one lender may carry the same references or the same bytes: the end of their loads takes turns.
LOCK = "select pg_advisory_xact_lock(hashtextextended(%s, 0))"

CREATE_STAGED = """
create temp table staged_payment (
    row_number integer, loan_id text, umrn text, amount text, date text, status text, charge text, note text,
    payment_id text, sub_reference_id text
) on commit drop
"""

COPY_STAGED = "copy staged_payment from stdin"

COPY_SET_ASIDE = """
copy raw.raw_rejected_records
    (file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text,
     mapping_version)
from stdin
"""

# What a file's rows would be now, laid beside what they are: see replay_queries.
CREATE_JUDGED_ASIDE = """
create temp table judged_aside (
    file_id bigint, lender text, row_number integer, disposition text, reason_code text, rule text, field text,
    message text, amount_paise bigint, raw_text text, mapping_version text
) on commit drop
"""

COPY_JUDGED_ASIDE = """
copy judged_aside
    (file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text,
     mapping_version)
from stdin
"""

READ_JUDGED_ASIDE = (
    "select row_number, disposition, reason_code, message from judged_aside order by row_number limit 1"
)

READ_STAGED = "select loan_id, umrn, amount from staged_payment order by row_number limit 1"

COUNT_JUDGED_ASIDE = """
select
    disposition, count(*) as rows, coalesce(sum(amount_paise), 0)::bigint as paise,
    count(*) - count(amount_paise) as unreadable
from judged_aside
group by disposition
"""

FORGET_SET_ASIDE = "delete from raw.raw_rejected_records where file_id = %s"

# The address is compared as the files give it: a mandate whose loan was unknown then is still the same address.
# A row that is loaded already (a replay looks at it again) does not repeat itself, and a reversal repeats reversals
# only: it carries the reference of the payment that it takes back.
FIND_REPEATED = """
create temp table repeated_payment on commit drop as
select
    staged.row_number, staged.payment_id, staged.amount, earlier.source_file, earlier._file_id as first_file,
    earlier._row_number as first_row, earlier.amount as first_amount, earlier.date as first_date,
    earlier.amount = staged.amount and earlier.date = staged.date
    and coalesce(earlier._umrn, earlier.loan_id) = coalesce(staged.umrn, staged.loan_id)
    as same_payment,
    true as by_reference
from staged_payment as staged
inner join raw.raw_payment_file as earlier
    on
        earlier.lender = %(lender)s and earlier._kind = %(kind)s and earlier.payment_id = staged.payment_id
        and (earlier.status is not distinct from 'reversed') = (staged.status is not distinct from 'reversed')
where (earlier._file_id, earlier._row_number) <> (%(file_id)s, staged.row_number)
"""

ANY_REPEATED = "select from repeated_payment limit 1"

READ_REPEATED = """
select
    row_number, payment_id, amount, source_file, first_file, first_row, first_amount, first_date, same_payment,
    by_reference
from repeated_payment
where row_number between %s and %s
order by row_number
"""

ADD_PAYMENTS = """
with added as (
    insert into raw.raw_payment_file (
        loan_id, amount, date, status, charge, note, payment_id, sub_reference_id, source_file, lender, _kind, _umrn,
        _file_id, _row_number, _mapping_version
    )
    select
        coalesce(staged.loan_id, mandate.loan_id), staged.amount, staged.date, staged.status, staged.charge,
        staged.note, staged.payment_id, staged.sub_reference_id, %(key)s, %(lender)s, %(kind)s, staged.umrn,
        %(file_id)s, staged.row_number, %(mapping_version)s
    from staged_payment as staged
    left join raw.raw_umrn_master as mandate
        on mandate.umrn = staged.umrn and mandate.lender = %(lender)s
        and staged.date::date between mandate.valid_from and coalesce(mandate.valid_to, 'infinity')
    where
        not exists (select from repeated_payment as repeated where repeated.row_number = staged.row_number)
        and (%(rows)s::integer[] is null or staged.row_number = any(%(rows)s))
    returning amount
)
select
    'accepted' as disposition, count(*) as rows, coalesce(sum(amount::numeric * 100), 0)::bigint as paise,
    0 as unreadable
from added
"""

COPY_PAYMENTS = """
copy raw.raw_payment_file (
    loan_id, amount, date, status, charge, note, payment_id, sub_reference_id, _umrn, _row_number,
    source_file, lender, _kind, _file_id, _mapping_version
) from stdin
"""

COPY_MANDATES = """
copy (
    select umrn, loan_id, valid_from, valid_to from raw.raw_umrn_master where lender = %(lender)s
) to stdout (format csv)
"""

HAS_REFERENCES = """
select from raw.raw_payment_file
where lender = %(lender)s and _kind = %(kind)s and payment_id is not null
limit 1
"""

ANY_REFERENCE_LOADED = """
select from unnest(%(references)s::text[]) as wanted (payment_id)
inner join raw.raw_payment_file as earlier
    on earlier.lender = %(lender)s and earlier._kind = %(kind)s and earlier.payment_id = wanted.payment_id
    and earlier._file_id <> %(file_id)s
limit 1
"""

# An amount is canonical, with exactly two decimals: without its point it is paise.
COUNT_ADDED = """
select
    'accepted' as disposition, count(*) as rows, coalesce(sum(replace(amount, '.', '')::bigint), 0)::bigint as paise,
    0 as unreadable
from raw.raw_payment_file
where lender = %(lender)s and _file_id = %(file_id)s and _txid = pg_current_xact_id()::text::bigint
"""

COUNT_SET_ASIDE = """
select
    disposition, count(*) as rows, coalesce(sum(amount_paise), 0)::bigint as paise,
    count(*) - count(amount_paise) as unreadable
from raw.raw_rejected_records
where file_id = %s
group by disposition
"""

READ_MANDATES = """
select umrn, loan_id, lender, valid_from, valid_to from raw.raw_umrn_master where umrn = any(%s)
"""

PUT_MANDATE = """
insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, valid_to, file_id, loaded_by_run)
values (%(umrn)s, %(loan_id)s, %(lender)s, %(valid_from)s, %(valid_to)s, %(file_id)s, %(run)s)
on conflict (umrn, valid_from) do update
set valid_to = excluded.valid_to, loaded_by_run = excluded.loaded_by_run, loaded_at = default, _txid = default
"""

READ_LENDERS = "select lender from core.core_lender"

READ_LENDER = "select lender from core.core_lender where lender = %s"
