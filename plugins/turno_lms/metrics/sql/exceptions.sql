-- What people have to look at.
select
    coalesce(question.lender, '') as lender,
    question.kind,
    count(*) as open_now,
    coalesce(sum(question.amount), 0) as rupees,
    extract(epoch from now() - min(question.opened_at)) as oldest_seconds,
    count(*) filter (where question.is_overdue) as past_deadline
from core.core_recon_exception_standing as question
where question.state = 'open'
group by coalesce(question.lender, ''), question.kind
