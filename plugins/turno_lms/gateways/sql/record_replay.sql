insert into core.core_gateway_replay (
    selection, reason, requested_by, requested_by_run, events, dead_letters_landed, dead_letters_left
)
values (%(selection)s, %(reason)s, %(actor)s, %(run)s, %(events)s, %(landed)s, %(left)s)
returning replay_id
