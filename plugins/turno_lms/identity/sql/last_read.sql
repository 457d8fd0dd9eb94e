-- The last transaction whose sightings are known: that of the newest identity, or of a step that froze none.
select greatest(
    coalesce((select max(identity._txid) from core.core_payment_identity as identity), 0),
    coalesce((select max(change._txid) from core.core_change_log as change where change.kind = 'sightings_read'), 0)
) as last_read
