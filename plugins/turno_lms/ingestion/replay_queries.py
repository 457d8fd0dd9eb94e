"""The SQL that lays what a file's rows would be now beside what they are, and changes what may be changed.

A row that is in RAW stays as it is there. What a person decided about a row (corrected, discarded) stands.
"""

DROP_TRIAL = "drop table if exists staged_payment, judged_aside, repeated_payment, row_change"

COUNT_STAGED = """
select
    'accepted' as disposition, count(*) as rows, coalesce(sum(amount::numeric * 100), 0)::bigint as paise,
    0 as unreadable
from staged_payment as staged
where not exists (select from repeated_payment as repeated where repeated.row_number = staged.row_number)
"""

COMPARE = """
create temp table row_change on commit drop as
with now_accepted as (
    select staged.*
    from staged_payment as staged
    where not exists (select from repeated_payment as repeated where repeated.row_number = staged.row_number)
),

loaded as (
    select * from raw.raw_payment_file where lender = %(lender)s and _file_id = %(file_id)s
),

aside as (
    select * from raw.raw_rejected_records where file_id = %(file_id)s
),

numbered as (
    select row_number from now_accepted
    union
    select row_number from judged_aside
    union
    select _row_number from loaded
    union
    select row_number from aside
)

select
    numbered.row_number,
    case when loaded._row_number is not null then 'accepted' else aside.disposition end as fate_before,
    case when loaded._row_number is null then aside.reason_code end as reason_before,
    case
        when loaded._row_number is not null then (loaded.amount::numeric * 100)::bigint else aside.amount_paise
    end as paise_before,
    case when now_accepted.row_number is not null then 'accepted' else judged.disposition end as fate_now,
    judged.reason_code as reason_now,
    case
        when now_accepted.row_number is not null then (now_accepted.amount::numeric * 100)::bigint
        else judged.amount_paise
    end as paise_now,
    case
        when aside.corrected_text is not null then 'unchanged'
        when loaded._row_number is not null and now_accepted.row_number is not null
            then
                case
                    when
                        (
                            coalesce(loaded._umrn, loaded.loan_id), loaded.amount, loaded.date, loaded.status,
                            loaded.charge, loaded.payment_id, loaded.sub_reference_id
                        )
                        is distinct from (
                            coalesce(now_accepted.umrn, now_accepted.loan_id), now_accepted.amount, now_accepted.date,
                            now_accepted.status, now_accepted.charge, now_accepted.payment_id,
                            now_accepted.sub_reference_id
                        )
                        then 'differs'
                    else 'unchanged'
                end
        -- a row further up passes now and has the same payment: this one stays the one that is loaded
        when loaded._row_number is not null and judged.reason_code = 'duplicate_in_file' then 'unchanged'
        when loaded._row_number is not null then 'no_longer_accepted'
        when aside.fate = 'discarded' then 'unchanged'
        when now_accepted.row_number is not null then 'accepted'
        when
            judged.row_number is null
            or (aside.disposition, aside.reason_code, aside.rule, aside.amount_paise)
            is not distinct from (judged.disposition, judged.reason_code, judged.rule, judged.amount_paise)
            then 'unchanged'
        else 'judged_otherwise'
    end as change
from numbered
left join now_accepted on numbered.row_number = now_accepted.row_number
left join judged_aside as judged on numbered.row_number = judged.row_number
left join loaded on numbered.row_number = loaded._row_number
left join aside on numbered.row_number = aside.row_number
"""

COUNT_CHANGES = """
select
    change, count(*) as rows,
    coalesce(
        sum(case when change in ('differs', 'no_longer_accepted') then paise_before else paise_now end), 0
    )::bigint as paise
from row_change
where change <> 'unchanged'
group by change
"""

READ_CHANGES = """
select row_number, change, fate_before, reason_before, paise_before, fate_now, reason_now, paise_now
from row_change
where change <> 'unchanged'
order by change in ('differs', 'no_longer_accepted') desc, row_number
limit %s
"""

ROWS_TO_ADD = """
select coalesce(array_agg(row_number order by row_number), '{}') as rows from row_change where change = 'accepted'
"""

MARK_REPLAYED = """
update raw.raw_rejected_records
set
    fate = 'replayed', fate_reason = %(reason)s, fate_by = %(actor)s, fate_at = now(),
    corrected_text = coalesce(%(corrected_text)s, corrected_text)
where file_id = %(file_id)s and row_number = any(%(rows)s)
"""

JUDGE_OTHERWISE = """
insert into raw.raw_rejected_records (
    file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version
)
select
    judged.file_id, judged.lender, judged.row_number, judged.disposition, judged.reason_code, judged.rule, judged.field,
    judged.message, judged.amount_paise, judged.raw_text, judged.mapping_version
from judged_aside as judged
inner join row_change on judged.row_number = row_change.row_number
where row_change.change = 'judged_otherwise'
on conflict (file_id, row_number) do update set
    disposition = excluded.disposition, reason_code = excluded.reason_code, rule = excluded.rule,
    field = excluded.field, message = excluded.message, amount_paise = excluded.amount_paise,
    raw_text = excluded.raw_text, mapping_version = excluded.mapping_version
"""

COUNT_STORED = """
select
    'accepted' as disposition, count(*) as rows, coalesce(sum(amount::numeric * 100), 0)::bigint as paise,
    0 as unreadable
from raw.raw_payment_file
where lender = %(lender)s and _file_id = %(file_id)s
union all
select
    disposition, count(*) as rows, coalesce(sum(amount_paise), 0)::bigint as paise,
    count(*) - count(amount_paise) as unreadable
from raw.raw_rejected_records
where file_id = %(file_id)s and fate <> 'replayed'
group by disposition
"""

OPEN_DIFFERENCE = """
insert into core.core_recon_exception (kind, subject, lender, amount, detail, opened_by_run)
values (%(kind)s, %(subject)s, %(lender)s, %(amount)s, %(detail)s, %(run)s)
on conflict (kind, subject) where state = 'open' do update
set amount = excluded.amount, detail = excluded.detail
where core_recon_exception.detail <> excluded.detail
"""

CLEAR_DIFFERENCE = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = 'a later replay found no difference'
where kind = %(kind)s and subject = %(subject)s and state = 'open'
"""

ADD_REPLAY = """
insert into raw.raw_file_replay (
    file_id, mapping_version_before, mapping_version, detail, replayed_by, replayed_by_run
)
values (%(file_id)s, %(before)s, %(mapping_version)s, %(detail)s, %(actor)s, %(run)s)
"""

# An address names the versions of a lender's file: its key, or the days (IST) on which they came in.
FILES_TO_REPLAY = """
select file_id
from raw.raw_s3_file_processing_log
where
    lender = %(lender)s
    and state in ('loaded', 'loaded_empty', 'halted', 'refused', 'failed')
    and superseded_by is null
    and (%(key)s::text is null or key = %(key)s)
    and (%(first_day)s::date is null or (received_at at time zone 'Asia/Kolkata')::date >= %(first_day)s)
    and (%(last_day)s::date is null or (received_at at time zone 'Asia/Kolkata')::date <= %(last_day)s)
order by file_id
"""

READ_REJECT = """
select
    reject.reject_id, reject.file_id, reject.lender, reject.row_number, reject.disposition, reject.raw_text,
    reject.fate, reject.fate_reason, reject.fate_by, log.state as file_state
from raw.raw_rejected_records as reject
inner join raw.raw_s3_file_processing_log as log on reject.file_id = log.file_id
where reject.reject_id = %s
for update of reject
"""

DISCARD = """
update raw.raw_rejected_records
set fate = 'discarded', fate_reason = %(reason)s, fate_by = %(actor)s, fate_at = now()
where reject_id = %(reject_id)s
"""
