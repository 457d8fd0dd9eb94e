insert into core.core_gateway_replay_event (replay_id, gateway, lender, event_key, body_sha256)
values (%(replay_id)s, %(gateway)s, %(lender)s, %(event_key)s, %(body_sha256)s)
