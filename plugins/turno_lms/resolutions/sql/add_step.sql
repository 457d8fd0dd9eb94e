insert into core.core_resolution_step (
    resolution_ref, position, loan_id, kind, amount, charge_id, reason_id, external_id, booked_on, state
)
values (
    %(ref)s, %(position)s, %(loan_id)s, %(kind)s, %(amount)s, %(charge_id)s, %(reason_id)s, %(external_id)s,
    %(booked_on)s, %(state)s
)
