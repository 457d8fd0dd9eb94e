-- What posting asks people about, oldest first.
select
    question.kind,
    question.subject as posting_key,
    question.lender,
    question.loan_id,
    question.amount,
    coalesce(
        question.detail ->> 'reason',
        question.detail ->> 'detail',
        -- of money that a gateway gave back: both figures
        (question.detail ->> 'amount_returned') || ' of ' || (question.detail ->> 'amount') || ' rupees went back'
    ) as reason,
    question.detail ->> 'decision' as decision,
    question.opened_at,
    (extract(epoch from now() - question.opened_at) / 86400)::integer as days
from core.core_recon_exception as question
where question.state = 'open' and question.kind = any(%(kinds)s)
order by question.opened_at, question.exception_id
