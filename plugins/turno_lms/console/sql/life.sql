select
    identity.first_seen_at as at,
    '1 seen' as stage,
    identity.channel || ': ' || identity.native_reference || ', ' || identity.amount || ' rupees of '
    || identity.business_date || ', recognised by ' || identity.matched_by as what,
    '' as by
from core.core_payment_identity as identity
where identity.posting_key = %s
union all
select
    decision.decided_at as at,
    '2 decided' as stage,
    decision.decision || coalesce(' to ' || decision.linked_posting_key, '') || ': ' || decision.reason as what,
    decision.decided_by as by
from core.core_payment_decision as decision
where decision.posting_key = %s
union all
select
    match.matched_at as at,
    '3 matched' as stage,
    match.side || ' ' || match.native_reference || ' by rule ' || match.rule as what,
    match.matched_by_run as by
from core.core_recon_match as match
where match.posting_key = %s
union all
select
    pending.created_at as at,
    '4 queued' as stage,
    'intent of ' || pending.amount || ' rupees, now ' || pending.state || ' after ' || pending.tries || ' tries'
    || coalesce(': ' || pending.last_error, '') as what,
    pending.created_by_run as by
from core.core_fineract_pending_transactions as pending
where pending.posting_key = %s
union all
select
    call.called_at as at,
    '5 sent' as stage,
    call.method || ' ' || call.purpose || ': ' || call.outcome || coalesce(' (' || call.status_code || ')', '') || ', '
    || call.duration_ms || ' ms' as what,
    call.dag_id || ' / ' || call.dag_run_id as by
from raw.raw_fineract_api_log as call
where call.subject = %s
union all
select
    archive.ended_at as at,
    '6 ended' as stage,
    archive.outcome || coalesce(' as transaction ' || archive.fineract_transaction_id, '')
    || coalesce(': ' || archive.error_message, '') as what,
    coalesce(archive.ended_by, archive.ended_by_run) as by
from core.core_fineract_transaction_archive as archive
where archive.posting_key = %s
union all
select
    reversal.requested_at as at,
    '7 taken back' as stage,
    'reversal ' || reversal.state || ': ' || reversal.reason as what,
    reversal.requested_by as by
from core.core_reversal as reversal
where reversal.posting_key = %s
