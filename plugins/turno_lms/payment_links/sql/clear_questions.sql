update core.core_recon_exception as exception
set
    state = 'cleared',
    closed_at = now(),
    closed_by = %(run)s,
    close_reason = 'the link no longer says so'
where
    exception.state = 'open'
    and exception.kind = any(%(kinds)s)
    and not exists (
        select 1 from payment_link_question as question
        where question.kind = exception.kind and question.subject = exception.subject
    )
