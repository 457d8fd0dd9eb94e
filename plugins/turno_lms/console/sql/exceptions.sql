select
    question.exception_id,
    question.kind,
    question.lender,
    question.loan_id,
    question.amount,
    question.state,
    question.subject,
    question.opened_at,
    extract(day from now() - question.opened_at)::integer as days_open,
    question.detail,
    question.opened_by_run,
    question.closed_at,
    question.closed_by,
    question.close_reason
from core.core_recon_exception as question
