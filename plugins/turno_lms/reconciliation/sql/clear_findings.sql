with touched as (
    update core.core_recon_exception as exception
    set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = %(reason)s
    where
        exception.state = 'open'
        and exception.kind = any(%(kinds)s)
        and not exists (
            select 1 from finding
            where finding.kind = exception.kind and finding.subject = exception.subject
        )
    returning exception.exception_id
)

select count(*) as touched from touched
