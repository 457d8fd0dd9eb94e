-- What waited for this client, or for this loan to get further, is looked at in the next turn.
update core.core_los_processed
set next_try_at = clock_timestamp()
where state = 'waiting' and reason <> 'date_in_future' and (client_id = %(client_id)s or subject = %(subject)s)
