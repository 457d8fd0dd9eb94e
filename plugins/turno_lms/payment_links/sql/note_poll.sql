update core.core_payment_link set polled_at = now() where link_id = %(link_id)s
