update core.core_recon_exception as exception
set
    state = 'cleared',
    closed_at = now(),
    closed_by = %(run)s,
    close_reason = 'the refund failed, or the payment was posted since'
where
    exception.state = 'open'
    and exception.kind = any(%(kinds)s)
    and not exists (
        select 1 from payment_returned as returned
        where returned.kind = exception.kind and returned.posting_key = exception.subject
    )
