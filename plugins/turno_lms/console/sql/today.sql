-- What holds money, and what else waits: one row a page, filter and lender.
-- `payments_waiting` is put before it (payments-waiting.sql).
with held as (
    select
        'payments' as page,
        'posting_block__is=' || payment.posting_block as filter,
        'payments held: ' || replace(payment.posting_block, '_', ' ') as what,
        payment.posting_block in ('possible_duplicate', 'conflict', 'superseded') as needs_person,
        payment.lender,
        count(*) as items,
        sum(payment.amount) as rupees,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '1 days') as rupees_after_1,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '3 days') as rupees_after_3,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '7 days') as rupees_after_7,
        min(payment.first_seen_at) as since
    from core.core_transaction_data as payment
    where payment.posting_block in ('possible_duplicate', 'conflict', 'superseded', 'awaiting_recon', 'evidence_only')
    group by payment.posting_block, payment.lender
),

waiting as (
    select
        'payments' as page,
        case when payment.is_held_for_resolution then 'posting__held_for_resolution' else 'posting__ready' end as filter,
        case
            when payment.is_held_for_resolution then 'payments held while their loan is settled or written off'
            else 'payments to be queued by the next run'
        end as what,
        false as needs_person,
        payment.lender,
        count(*) as items,
        sum(payment.amount) as rupees,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '1 days') as rupees_after_1,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '3 days') as rupees_after_3,
        sum(payment.amount) filter (where payment.first_seen_at < now() - interval '7 days') as rupees_after_7,
        min(payment.first_seen_at) as since
    from payments_waiting as payment
    group by payment.is_held_for_resolution, payment.lender
),

queued as (
    select
        'queue' as page,
        'state__is=' || pending.state as filter,
        case when pending.state = 'in_doubt' then 'repayments in doubt' else 'repayments ' || pending.state end as what,
        pending.state = 'in_doubt' as needs_person,
        pending.lender,
        count(*) as items,
        sum(pending.amount) as rupees,
        sum(pending.amount) filter (where pending.created_at < now() - interval '1 days') as rupees_after_1,
        sum(pending.amount) filter (where pending.created_at < now() - interval '3 days') as rupees_after_3,
        sum(pending.amount) filter (where pending.created_at < now() - interval '7 days') as rupees_after_7,
        min(pending.created_at) as since
    from core.core_fineract_pending_transactions as pending
    group by pending.state, pending.lender
),

asked as (
    select
        'exceptions' as page,
        'life__not_ended AND kind__is=' || question.kind as filter,
        'exceptions: ' || replace(question.kind, '_', ' ') as what,
        question.kind not in ('missing_in_file', 'missing_in_gateway') as needs_person,
        question.lender,
        count(*) as items,
        sum(question.at_risk) as rupees,
        sum(question.at_risk) filter (where question.opened_at < now() - interval '1 days') as rupees_after_1,
        sum(question.at_risk) filter (where question.opened_at < now() - interval '3 days') as rupees_after_3,
        sum(question.at_risk) filter (where question.opened_at < now() - interval '7 days') as rupees_after_7,
        min(question.opened_at) as since
    from (
        select
            exception.*,
            -- a payment that the other side lacks is counted above while it is held, and is safe once it is posted
            case when exception.kind not in ('missing_in_file', 'missing_in_gateway') then exception.amount end as at_risk
        from core.core_recon_exception as exception
    ) as question
    -- the payment itself is counted above
    where question.state = 'open' and question.kind not in ('possible_duplicate', 'identity_conflict')
    group by question.kind, question.lender
),

rejected as (
    select
        'rejected-rows' as page,
        'fate__is=open AND disposition__is=rejected' as filter,
        'rows rejected' as what,
        true as needs_person,
        reject.lender,
        count(*) as items,
        sum(reject.amount_paise) / 100.0::numeric as rupees,
        sum(reject.amount_paise / 100.0::numeric) filter (where reject.created_at < now() - interval '1 days') as rupees_after_1,
        sum(reject.amount_paise / 100.0::numeric) filter (where reject.created_at < now() - interval '3 days') as rupees_after_3,
        sum(reject.amount_paise / 100.0::numeric) filter (where reject.created_at < now() - interval '7 days') as rupees_after_7,
        min(reject.created_at) as since
    from raw.raw_rejected_records as reject
    where reject.fate = 'open' and reject.disposition = 'rejected'
    group by reject.lender
),

refused as (
    select
        'files' as page,
        'state__is=' || log.state as filter,
        'files ' || log.state as what,
        true as needs_person,
        log.lender,
        count(*) as items,
        null::numeric as rupees,
        null::numeric as rupees_after_1,
        null::numeric as rupees_after_3,
        null::numeric as rupees_after_7,
        min(log.received_at) as since
    from raw.raw_s3_file_processing_log as log
    where log.state in ('refused', 'halted', 'failed')
    group by log.state, log.lender
),

undelivered as (
    select
        'dead-letters' as page,
        'fate__is=open' as filter,
        'webhooks that could not be read' as what,
        true as needs_person,
        letter.lender,
        count(*) as items,
        null::numeric as rupees,
        null::numeric as rupees_after_1,
        null::numeric as rupees_after_3,
        null::numeric as rupees_after_7,
        min(letter.received_at) as since
    from raw.raw_webhook_dead_letter as letter
    where letter.fate = 'open'
    group by letter.lender
)

select
    risk.*,
    extract(day from now() - risk.since)::integer as oldest_days
from (
    select * from held
    union all
    select * from waiting
    union all
    select * from queued
    union all
    select * from asked
    union all
    select * from rejected
    union all
    select * from refused
    union all
    select * from undelivered
) as risk
