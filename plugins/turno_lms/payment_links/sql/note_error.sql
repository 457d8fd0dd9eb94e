update core.core_payment_link set last_error = %(error)s where link_id = %(link_id)s
