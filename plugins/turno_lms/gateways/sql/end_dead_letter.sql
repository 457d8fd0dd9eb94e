update raw.raw_webhook_dead_letter
set fate = %(fate)s, fate_reason = %(reason)s, fate_by = %(actor)s, fate_at = now()
where dead_letter_id = %(id)s and fate = 'open'
