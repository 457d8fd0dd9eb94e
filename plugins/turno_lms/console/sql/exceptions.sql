select
    question.exception_id,
    question.kind,
    question.class,
    question.lender,
    question.loan_id,
    question.amount,
    question.state,
    question.life,
    question.owner,
    question.subject,
    question.opened_at,
    question.age_days,
    question.age,
    question.due_at,
    case
        when question.state <> 'open' or question.due_at is null then null
        when question.is_overdue then 'overdue'
        else 'in_time'
    end as deadline,
    question.waits_until,
    question.note,
    question.detail,
    question.opened_by_run,
    question.handled_by,
    question.closed_at,
    question.closed_by,
    question.close_reason
from core.core_recon_exception_standing as question
