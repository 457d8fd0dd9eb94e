update core.core_recon_exception
set
    state = case when %(closed)s then %(life)s else 'open' end,
    progress = case when %(closed)s then progress else %(life)s end,
    owner = coalesce(%(owner)s, owner),
    waits_until = %(until)s,
    note = case when %(closed)s then note else coalesce(%(note)s, note) end,
    handled_by = %(actor)s,
    closed_at = case when %(closed)s then now() end,
    closed_by = case when %(closed)s then %(actor)s end,
    close_reason = case when %(closed)s then %(note)s end
where exception_id = any(%(ids)s)
