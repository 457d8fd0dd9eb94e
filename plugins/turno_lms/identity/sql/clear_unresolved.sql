update core.core_recon_exception as exception
set
    state = 'cleared',
    closed_at = now(),
    closed_by = %(run)s,
    close_reason = coalesce('now ' || sighting.resolution_error, 'the loan is found')
from sighting_read as sighting
where
    exception.subject = sighting.native_reference
    and exception.state = 'open'
    and exception.kind = any(%(resolution_kinds)s)
    and exception.kind is distinct from sighting.resolution_error
