update raw.raw_webhook_dead_letter
set attempts = attempts + 1, last_error = %(error)s
where dead_letter_id = %(id)s
