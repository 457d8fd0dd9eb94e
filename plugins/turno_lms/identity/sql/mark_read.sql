insert into core.core_change_log (kind, subject) values ('sightings_read', 'core_payment_sighting')
