update core.core_payment_link set quoted_at = %(at)s where link_id = %(link_id)s
