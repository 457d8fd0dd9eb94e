insert into {table} (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)
select
    %(lender)s, %(event_key)s, %(body_sha256)s, %(event_type)s, %(body)s, %(payload)s::jsonb, '{{}}'::jsonb, 'swept'
where not exists (select 1 from {table} as known where known.lender = %(lender)s and known.event_key = %(event_key)s)
on conflict do nothing
