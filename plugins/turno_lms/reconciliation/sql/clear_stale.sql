update core.core_recon_exception as exception
set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = 'the channel reports again'
where
    exception.kind = 'source_stale'
    and exception.state = 'open'
    and exists (
        select 1 from core.core_payment_sighting as sighting
        where
            sighting.lender = exception.lender
            and sighting.channel = exception.detail ->> 'channel'
            and sighting.seen_at > exception.opened_at
    )
