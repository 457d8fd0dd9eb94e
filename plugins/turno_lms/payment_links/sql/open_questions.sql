insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    question.kind,
    question.subject,
    question.lender,
    question.loan_id,
    question.amount,
    question.detail,
    %(run)s
from payment_link_question as question
where
    not exists (
        select 1 from core.core_recon_exception as resolved
        where
            resolved.kind = question.kind
            and resolved.subject = question.subject
            and resolved.state = 'resolved'
            and resolved.detail = question.detail
    )
on conflict (kind, subject) where state = 'open' do update set amount = excluded.amount, detail = excluded.detail
where core_recon_exception.detail <> excluded.detail
