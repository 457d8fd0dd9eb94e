with cleared as (
    update core.core_recon_exception as exception
    set
        state = 'cleared',
        closed_at = now(),
        closed_by = %(run)s,
        close_reason = 'what the sightings say agrees with the frozen identity again'
    from conflict
    where
        exception.kind = 'identity_conflict'
        and exception.state = 'open'
        and exception.subject = conflict.posting_key
        and conflict.reasons is null
    returning exception.subject
)

insert into core.core_change_log (kind, subject)
select 'identity', cleared.subject from cleared
