-- all else that hangs on a loan: exceptions, links, resolutions, LOS operations, newest first
select
    'exceptions' as page,
    question.exception_id::text as key,
    'exception: ' || replace(question.kind, '_', ' ') as what,
    question.state,
    question.amount,
    question.opened_at as at,
    coalesce(question.close_reason, question.detail ->> 'message') as more
from core.core_recon_exception as question
where question.loan_id = %s
union all
select
    'payment-links' as page,
    link.link_id::text as key,
    'payment link ' || link.reference || ', ' || link.gateway as what,
    link.state,
    link.amount,
    link.created_at as at,
    link.end_reason as more
from core.core_payment_link as link
where link.loan_id = %s
union all
select
    'resolutions' as page,
    settlement.settlement_ref as key,
    'settlement' as what,
    settlement.state,
    settlement.amount,
    settlement.requested_at as at,
    settlement.reason as more
from core.core_settlement as settlement
where settlement.loan_id = %s
union all
select
    'resolutions' as page,
    write_off.write_off_ref as key,
    'write-off' as what,
    write_off.state,
    write_off.dues_total as amount,
    write_off.requested_at as at,
    write_off.reason as more
from core.core_write_off as write_off
where write_off.loan_id = %s
union all
select
    'resolutions' as page,
    foreclosure.foreclosure_ref as key,
    'foreclosure' as what,
    foreclosure.state,
    foreclosure.quoted_total as amount,
    foreclosure.requested_at as at,
    foreclosure.reason as more
from core.core_foreclosure as foreclosure
where foreclosure.loan_id = %s
union all
select
    'los' as page,
    operation.submission_id::text as key,
    replace(operation.operation, '_', ' ') || ' (LOS)' as what,
    operation.state,
    null::numeric as amount,
    operation.submitted_at as at,
    operation.message as more
from core.core_los_processed as operation
where operation.subject = 'loan:' || %s
order by at desc
limit 200
