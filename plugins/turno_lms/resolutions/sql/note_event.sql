insert into core.core_resolution_event (resolution_ref, loan_id, event, actor, run, detail)
values (%(ref)s, %(loan_id)s, %(event)s, %(actor)s, %(run)s, %(detail)s)
