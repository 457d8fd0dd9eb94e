-- Beside the question that was decided, a linked key leaves no other open one behind.
update core.core_recon_exception
set state = 'resolved', closed_at = now(), closed_by = %(actor)s, close_reason = %(reason)s
where
    subject = %(key)s
    and state = 'open'
    and (%(decision)s = 'link' or kind = any(%(decidable_kinds)s))
