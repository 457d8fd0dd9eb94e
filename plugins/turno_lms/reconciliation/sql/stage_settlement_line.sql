insert into settlement_line values (
    %(number)s, %(entity)s, %(entity_id)s, %(payment_id)s, %(method)s, %(amount)s, %(fee)s, %(tax)s, %(net)s,
    %(settlement_id)s, %(utr)s, %(settled_on)s, %(payload)s::jsonb
)
