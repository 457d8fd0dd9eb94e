-- What posting asks people about: the kinds of turno_lms.posting.cases.PARKED_KINDS, a test holds the two together.
select
    question.exception_id,
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
    question.age_days as days,
    question.owner
from core.core_recon_exception_standing as question
where
    question.state = 'open'
    and question.kind in (
        'posting_failed', 'posting_in_doubt', 'overpaid', 'bounced_after_posting', 'returned_after_posting',
        'reversal_unmatched', 'partly_returned'
    )
