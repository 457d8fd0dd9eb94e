"""The SQL that lays a file beside the versions of its key that were loaded before.

`repeated_payment` gets a row for every staged row that an earlier version has already (`same_payment`), or that stands
where an earlier version had another payment of the same loan. A row of an earlier version answers for one staged row
only, in the order of their numbers; rows of this version that are loaded already (a replay) take no part.
"""
# ruff: noqa: S608  # what is put into a text is a constant of this module

EARLIER_VERSIONS = """
select file_id
from raw.raw_s3_file_processing_log
where
    bucket = %(bucket)s and key = %(key)s and lender = %(lender)s and file_id <> %(file_id)s
    and state in ('loaded', 'loaded_empty', 'superseded')
order by file_id
"""

NEWER_VERSION = """
select file_id
from raw.raw_s3_file_processing_log
where
    bucket = %(bucket)s and key = %(key)s and lender = %(lender)s and file_id > %(file_id)s
    and state in ('loaded', 'loaded_empty')
order by file_id desc
limit 1
"""

_UNMATCHED = """
waiting as (
    select
        staged.*, coalesce(staged.umrn, staged.loan_id) as address, coalesce(staged.sub_reference_id, '') as bank,
        staged.status is not distinct from 'reversed' as is_reversal
    from staged_payment as staged
    where
        not exists (select from repeated_payment as repeated where repeated.row_number = staged.row_number)
        and not exists (
            select from raw.raw_payment_file as own
            where own.lender = %(lender)s and own._file_id = %(file_id)s and own._row_number = staged.row_number
        )
),

earlier as (
    select
        loaded.*, coalesce(loaded._umrn, loaded.loan_id) as address, coalesce(loaded.sub_reference_id, '') as bank,
        loaded.status is not distinct from 'reversed' as is_reversal,
        exists (
            select from repeated_payment as repeated
            where repeated.first_file = loaded._file_id and repeated.first_row = loaded._row_number
        ) as is_changed
    from raw.raw_payment_file as loaded
    where
        loaded.lender = %(lender)s and loaded._file_id = any(%(versions)s)
        -- one whose reference now stands on another payment may still be there under none
        and not exists (
            select from repeated_payment as repeated
            where
                repeated.first_file = loaded._file_id and repeated.first_row = loaded._row_number
                and (repeated.same_payment or not repeated.by_reference)
        )
)
"""

_ADD = """
insert into repeated_payment
select
    waiting.row_number, waiting.payment_id, waiting.amount, earlier.source_file, earlier._file_id, earlier._row_number,
    earlier.amount, earlier.date, {same_payment}, false
"""

_PAIR = """
with {unmatched},

numbered_waiting as (
    select *, row_number() over (partition by {columns} order by row_number) as nth
    from waiting
    where {waiting}
),

numbered_earlier as (
    select *, row_number() over (partition by {columns} order by _file_id, _row_number) as nth
    from earlier
    where {earlier}
)

{add}
from numbered_waiting as waiting
inner join numbered_earlier as earlier using ({columns}, nth)
{condition}
"""


def _pair(columns: str, waiting: str, earlier: str, same_payment: str, condition: str = "") -> str:
    add = _ADD.format(same_payment=same_payment)
    return _PAIR.format(
        unmatched=_UNMATCHED, columns=columns, waiting=waiting, earlier=earlier, add=add, condition=condition
    )


_PAYMENT = "address, amount, date, is_reversal"
# a bank's reference that both rows carry and that differs tells them apart
_NOT_TOLD_APART = "where '' in (waiting.bank, earlier.bank) or waiting.bank = earlier.bank"

FIND_IN_VERSIONS = (
    # rows without a reference, all columns of the payment alike
    _pair(f"{_PAYMENT}, bank", "payment_id is null", "payment_id is null", "true"),
    # the correction added the reference, or lost it
    _pair(_PAYMENT, "payment_id is not null", "payment_id is null", "true", _NOT_TOLD_APART),
    _pair(_PAYMENT, "payment_id is null", "payment_id is not null", "true", _NOT_TOLD_APART),
    # what is left on both sides of one loan: a row that was changed, or one that went and another that came
    _pair("address", "true", "not is_changed", "false"),
)
"""In this order: each takes what the ones before have left."""

_REFERENCE = """
case
    when {row}.payment_id is null then 'position:' || {row}._file_id || ':' || {row}._row_number
    else 'file:' || {row}.lender || ':' || {row}._kind || ':' || {row}.payment_id
        || case when {row}.status is not distinct from 'reversed' then ':reversed' else '' end
end
"""
"""The native reference of a loaded row, as base_payment_file has it."""

# Rows of earlier versions that this one lacks or has otherwise. A person who said that such a row stands is not asked
# again. The posting key is there once the row was seen by the identity step.
FLAG_ROWS = f"""
with earlier as (
    select
        loaded.*, {_REFERENCE.format(row="loaded")} as native_reference,
        repeated.row_number as new_row, repeated.amount as new_amount, coalesce(repeated.same_payment, false) as is_kept
    from raw.raw_payment_file as loaded
    left join lateral (
        select *
        from repeated_payment as found
        where loaded._file_id = found.first_file and loaded._row_number = found.first_row
        order by found.same_payment desc, found.row_number
        limit 1
    ) as repeated on true
    where loaded.lender = %(lender)s and loaded._file_id = any(%(versions)s)
),

lost as (
    select
        earlier.*, coalesce(decision.linked_posting_key, identity.posting_key) as posting_key
    from earlier
    left join core.core_payment_identity as identity on earlier.native_reference = identity.native_reference
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where
        not earlier.is_kept
        and not exists (
            select from core.core_recon_exception as settled
            where
                settled.kind = %(exception_kind)s and settled.subject = earlier.native_reference
                and settled.state = 'resolved'
        )
)

insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    %(exception_kind)s, lost.native_reference, lost.lender, lost.loan_id, lost.amount::numeric,
    jsonb_build_object(
        'key', lost.source_file, 'file_id', lost._file_id, 'row_number', lost._row_number, 'umrn', lost._umrn,
        'business_date', lost.date, 'reference', lost.payment_id, 'superseded_by', %(file_id)s::bigint,
        'change', case when lost.new_row is null then 'missing' else 'changed' end,
        'new_row', lost.new_row, 'new_amount', lost.new_amount, 'posting_key', lost.posting_key,
        'posting', coalesce(processed.outcome, case when pending.posting_key is not null then 'queued' end)
    ),
    %(run)s
from lost
left join core.core_transaction_data_processed as processed on lost.posting_key = processed.posting_key
left join core.core_fineract_pending_transactions as pending on lost.posting_key = pending.posting_key
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
returning subject, amount, detail ->> 'posting_key' as posting_key, detail ->> 'posting' as posting
"""

# A row that the newest version has (again) is in question no more, nor is one of its own.
CLEAR_ROWS = f"""
with present as (
    select {_REFERENCE.format(row="loaded")} as native_reference
    from raw.raw_payment_file as loaded
    inner join repeated_payment as repeated
        on loaded._file_id = repeated.first_file and loaded._row_number = repeated.first_row
    where loaded.lender = %(lender)s and loaded._file_id = any(%(versions)s) and repeated.same_payment
    union all
    select {_REFERENCE.format(row="loaded")} as native_reference
    from raw.raw_payment_file as loaded
    where loaded.lender = %(lender)s and loaded._file_id = %(file_id)s
),

cleared as (
    update core.core_recon_exception as exception
    set
        state = 'cleared', closed_at = now(), closed_by = %(run)s,
        close_reason = 'file ' || %(file_id)s || ' has the row again'
    from present
    where
        exception.subject = present.native_reference and exception.kind = %(exception_kind)s
        and (
            exception.state = 'open'
            or (exception.state = 'resolved' and exception.detail ->> 'decision' = 'withdrawn')
        )
    returning exception.subject
)

select coalesce(decision.linked_posting_key, identity.posting_key) as posting_key
from cleared
inner join core.core_payment_identity as identity on cleared.subject = identity.native_reference
left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
"""

MARK_UNLOADED = """
update raw.raw_s3_file_processing_log
set superseded_by = %(file_id)s
where
    bucket = %(bucket)s and key = %(key)s and lender = %(lender)s and file_id < %(file_id)s and superseded_by is null
    and state in ('refused', 'halted', 'failed')
"""

OPEN_QUESTIONS = """
select
    exception.subject, exception.lender, exception.loan_id, exception.amount, exception.detail ->> 'key' as key,
    (exception.detail ->> 'file_id')::bigint as file_id, (exception.detail ->> 'row_number')::integer as row_number,
    exception.detail ->> 'change' as change, exception.detail ->> 'posting_key' as posting_key_then,
    coalesce(decision.linked_posting_key, identity.posting_key) as posting_key,
    coalesce(processed.outcome, case when pending.posting_key is not null then 'queued' end) as posting
from core.core_recon_exception as exception
left join core.core_payment_identity as identity on exception.subject = identity.native_reference
left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
left join core.core_transaction_data_processed as processed
    on processed.posting_key = coalesce(decision.linked_posting_key, identity.posting_key)
left join core.core_fineract_pending_transactions as pending
    on pending.posting_key = coalesce(decision.linked_posting_key, identity.posting_key)
where
    exception.kind = %(exception_kind)s and exception.state = 'open'
    and (%(file_id)s::bigint is null or (exception.detail ->> 'file_id')::bigint = %(file_id)s)
    and (%(rows)s::integer[] is null or (exception.detail ->> 'row_number')::integer = any(%(rows)s))
order by file_id, row_number
"""

SETTLE_QUESTION = """
update core.core_recon_exception
set
    state = 'resolved', closed_at = now(), closed_by = %(actor)s, close_reason = %(reason)s,
    detail = detail || jsonb_build_object('decision', %(decision)s::text)
where kind = %(exception_kind)s and subject = any(%(subjects)s) and state = 'open'
"""
