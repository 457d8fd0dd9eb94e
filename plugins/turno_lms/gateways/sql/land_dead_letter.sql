insert into {table} (
    lender, event_key, body_sha256, event_type, body, payload, headers, verdict, stale, conflicting, received_at
)
select
    %(lender)s,
    %(event_key)s,
    %(body_sha256)s,
    coalesce(readable.payload ->> 'event', readable.payload ->> 'type'),
    %(body)s,
    readable.payload,
    to_jsonb(letter.headers),
    %(verdict)s,
    %(stale)s,
    exists (
        select 1 from {table} as known
        where
            known.lender = %(lender)s and known.event_key = %(event_key)s and known.body_sha256 <> %(body_sha256)s
    ),
    %(received_at)s
from (select %(payload)s::jsonb as payload) as readable
inner join raw.raw_webhook_dead_letter as letter on letter.dead_letter_id = %(id)s
on conflict do nothing
