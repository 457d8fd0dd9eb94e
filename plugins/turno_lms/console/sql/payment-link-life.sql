select
    link.created_at as at,
    'planned' as stage,
    link.amount || ' rupees for ' || link.purpose || ', due on ' || link.due_on as what,
    link.created_by as by
from core.core_payment_link as link
where link.link_id = %(id)s
union all
select
    call.called_at as at,
    'asked the gateway' as stage,
    call.method || ' ' || call.path || ': ' || call.outcome || coalesce(' (' || call.status_code || ')', '') || ', '
    || call.duration_ms || ' ms' as what,
    call.called_by_run as by
from raw.raw_payment_link_call as call
where call.reference = %(reference)s
union all
select
    collected.told_at as at,
    'paid' as stage,
    collected.amount || ' rupees as ' || collected.gateway_payment_reference || ', told by ' || collected.told_by
    || case when collected.payer_differs then ', another payer' else '' end as what,
    collected.told_to_run as by
from core.core_payment_link_payment as collected
where collected.link_id = %(id)s
union all
select
    life.processed_at as at,
    'in Fineract' as stage,
    life.posting_state || coalesce(' as transaction ' || life.fineract_transaction_id, '') || ', payment '
    || life.posting_key as what,
    '' as by
from core.core_payment_link_life as life
where life.link_id = %(id)s and life.processed_at is not null
union all
select
    link.ended_at as at,
    link.state as stage,
    coalesce(link.end_reason, '') as what,
    link.changed_by_run as by
from core.core_payment_link as link
where link.link_id = %(id)s and link.ended_at is not null
