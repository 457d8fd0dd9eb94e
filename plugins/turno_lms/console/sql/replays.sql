select
    replay.replay_id,
    replay.requested_at,
    replay.requested_by,
    replay.reason,
    replay.events,
    replay.dead_letters_landed,
    replay.dead_letters_left,
    replay.selection,
    replay.requested_by_run
from core.core_gateway_replay as replay
