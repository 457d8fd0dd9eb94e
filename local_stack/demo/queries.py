"""What the closing table asks the warehouse. Rupees are numeric, paise are integers, runs are `<dag id>/<run id>`."""

FILES = """
select
    lender,
    regexp_replace(key, '.*/', '') as file,
    state,
    coalesce(error_code, '') as error_code,
    coalesce(error_message, '') as error_message,
    coalesce(rows_read, 0) as read,
    coalesce(rows_accepted, 0) as accepted,
    coalesce(rows_filtered, 0) as filtered,
    coalesce(rows_duplicate, 0) as duplicate,
    coalesce(rows_rejected, 0) as rejected,
    coalesce(rows_amount_unreadable, 0) as unreadable,
    coalesce(paise_read, 0) as paise_read,
    coalesce(paise_accepted, 0) as paise_accepted,
    coalesce(paise_filtered, 0) as paise_filtered,
    coalesce(paise_duplicate, 0) as paise_duplicate,
    coalesce(paise_rejected, 0) as paise_rejected,
    dag_id || '/' || dag_run_id as run
from raw.raw_s3_file_processing_log
where key like 'lenders/%%'
order by lender, file_id
"""

MANDATES = """
select lender, count(*) as mandates, count(distinct loan_id) as loans, array_agg(distinct loaded_by_run) as runs
from raw.raw_umrn_master
group by lender
order by lender
"""

REJECT_REASONS = """
select lender, disposition, reason_code as reason, count(*) as rows
from raw.raw_rejected_records
group by lender, disposition, reason_code
order by lender, disposition, reason_code
"""

WEBHOOKS = """
select lender, count(*) as events, count(distinct payload #>> '{payload,payment,entity,id}') as payments
from raw.raw_razorpay_api
group by lender
order by lender
"""

TRANSACTIONS = """
select
    payment.lender,
    case
        when ended.outcome is not null then ended.outcome
        when intent.posting_key is not null then 'in queue: ' || intent.state
        when payment.posting_block is not null then 'held: ' || payment.posting_block
        when core.posting_switch(payment.lender, coalesce(posting.channel, '')) <> 'open' then 'posting is stopped'
        else 'unexplained'
    end as fate,
    count(*) as payments,
    sum(payment.amount) as rupees,
    array_remove(array_agg(distinct ended.processed_by_run), null) as runs
from core.core_transaction_data as payment
left join core.core_transaction_data_processed as ended using (posting_key)
left join core.core_fineract_pending_transactions as intent using (posting_key)
left join core.core_lender_stream as posting
    on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
group by 1, 2
order by 1, 2
"""

RECONCILIATION = """
select
    payment.lender,
    payment.reconciliation_status as status,
    count(distinct payment.posting_key) as payments,
    array_remove(array_agg(distinct coalesce(found.matched_by_run, missing.opened_by_run)), null) as runs
from core.core_transaction_data as payment
left join core.core_recon_match as found using (posting_key)
left join core.core_recon_exception as missing
    on missing.subject = payment.posting_key and missing.kind = payment.reconciliation_status
        and missing.state = 'open'
group by 1, 2
order by 1, 2
"""

LINKS = """
select
    lender,
    link_state || coalesce(': ' || posting_state, '') as state,
    count(distinct link_id) as links,
    sum(link_amount) as rupees,
    coalesce(sum(payment_amount), 0) as paid
from core.core_payment_link_life
group by 1, 2
order by 1, 2
"""

EXCEPTIONS = """
select
    lender, kind, count(*) as exceptions, coalesce(sum(amount), 0) as rupees,
    array_agg(distinct opened_by_run) as runs
from core.core_recon_exception
where state = 'open'
group by lender, kind
order by lender, kind
"""

SIGHTINGS = """
select
    (select count(*) from raw.raw_payment_file) as accepted,
    (select count(*) from core.core_payment_sighting where channel like 'file:%%') as sightings
"""

UNPLACED = """
select count(*)
from core.core_payment_sighting as seen
where not exists (
        select from core.core_payment_identity as known where known.native_reference = seen.native_reference
    )
    and not exists (
        select from core.core_recon_exception as named
        where named.subject = seen.native_reference and named.state = 'open'
    )
"""
