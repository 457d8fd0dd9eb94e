-- What happened to one payment, from the first line or webhook to the settlement's UTR. `page` and `key` lead to each.
with asked as (select %s::text as posting_key),

known as (
    select identity.*
    from core.core_payment_identity as identity
    inner join asked on identity.posting_key = asked.posting_key
)

select
    log.received_at as at,
    '1 file line' as stage,
    'row ' || sighting.row_number || ' of ' || log.key || ': ' || sighting.amount || ' rupees of ' || sighting.business_date
    || coalesce(', mandate ' || sighting.umrn, '') as what,
    log.dag_id || ' / ' || log.dag_run_id as by,
    'files' as page,
    log.file_id::text as key
from known
inner join core.core_payment_sighting as sighting on known.native_reference = sighting.native_reference
inner join raw.raw_s3_file_processing_log as log on sighting.file_id = log.file_id
union all
select
    event.received_at as at,
    '1 webhook' as stage,
    event.event || ' from razorpay' || coalesce(': ' || event.amount || ' rupees', '') as what,
    '' as by,
    'webhooks' as page,
    'razorpay/' || event.lender || '/' || event.event_key || '/' || event.body_sha256 as key
from known
inner join base.base_razorpay_event as event on known.native_reference = event.gateway_payment_reference
union all
select
    event.received_at as at,
    '1 webhook' as stage,
    event.event || ' from cashfree' || coalesce(': ' || event.amount || ' rupees', '') as what,
    '' as by,
    'webhooks' as page,
    'cashfree/' || event.lender || '/' || event.event_key || '/' || event.body_sha256 as key
from known
inner join base.base_cashfree_event as event on known.native_reference = event.gateway_payment_reference
union all
select
    known.first_seen_at as at,
    '2 identity' as stage,
    known.channel || ' ' || known.native_reference || ' is this payment: recognised by '
    || replace(known.matched_by, '_', ' ') || coalesce(', held as ' || replace(known.held_as, '_', ' '), '') as what,
    '' as by,
    null as page,
    null as key
from known
union all
select
    question.opened_at as at,
    '3 asked' as stage,
    'exception ' || replace(question.kind, '_', ' ') || ', ' || question.state || coalesce(': ' || question.close_reason, '')
        as what,
    coalesce(question.closed_by, question.opened_by_run) as by,
    'exceptions' as page,
    question.exception_id::text as key
from core.core_recon_exception as question
inner join asked on question.subject = asked.posting_key
union all
select
    decision.decided_at as at,
    '3 decided' as stage,
    decision.decision || coalesce(' to ' || decision.linked_posting_key, '') || ': ' || decision.reason as what,
    decision.decided_by as by,
    null as page,
    null as key
from core.core_payment_decision as decision
inner join asked on decision.posting_key = asked.posting_key
union all
select
    match.matched_at as at,
    '4 matched' as stage,
    match.side || ' ' || match.native_reference || ' by rule ' || replace(match.rule, '_', ' ') as what,
    match.matched_by_run as by,
    null as page,
    null as key
from core.core_recon_match as match
inner join asked on match.posting_key = asked.posting_key
union all
select
    pending.created_at as at,
    '5 intent' as stage,
    'to post ' || pending.amount || ' rupees, now ' || pending.state || ' after ' || pending.tries || ' tries'
    || coalesce(': ' || pending.last_error, '') as what,
    pending.created_by_run as by,
    'queue' as page,
    pending.posting_key as key
from core.core_fineract_pending_transactions as pending
inner join asked on pending.posting_key = asked.posting_key
union all
select
    call.called_at as at,
    '6 attempt' as stage,
    call.method || ' ' || call.purpose || ': ' || call.outcome || coalesce(' (' || call.status_code || ')', '') || ', '
    || call.duration_ms || ' ms' as what,
    call.dag_id || ' / ' || call.dag_run_id as by,
    'fineract-calls' as page,
    call.call_id::text as key
from raw.raw_fineract_api_log as call
inner join asked on call.subject = asked.posting_key
union all
select
    archive.ended_at as at,
    '7 Fineract entry' as stage,
    archive.outcome || coalesce(' as transaction ' || archive.fineract_transaction_id, '')
    || coalesce(': ' || archive.error_message, '') as what,
    coalesce(archive.ended_by, archive.ended_by_run) as by,
    'posted' as page,
    archive.archive_id::text as key
from core.core_fineract_transaction_archive as archive
inner join asked on archive.posting_key = asked.posting_key
union all
select
    reversal.requested_at as at,
    '8 taken back' as stage,
    'reversal ' || reversal.state || ': ' || reversal.reason as what,
    reversal.requested_by as by,
    null as page,
    null as key
from core.core_reversal as reversal
inner join asked on reversal.posting_key = asked.posting_key
union all
select
    settled.settled_on::timestamp at time zone 'Asia/Kolkata' as at,
    '9 settled' as stage,
    settled.gateway || ' settled ' || settled.net || ' rupees of ' || settled.amount || ' to the bank'
    || coalesce(', UTR ' || settled.settlement_utr, '') || ' (settlement ' || settled.settlement_id || ')' as what,
    '' as by,
    null as page,
    null as key
from (
    select distinct known.gateway_payment_reference as reference
    from known
) as paid
inner join raw.raw_gateway_settlement_line as settled
    on
        split_part(paid.reference, ':', 1) = settled.gateway
        and split_part(paid.reference, ':', 2) = settled.gateway_payment_id
order by at, stage
