update core.core_payment_link set awaits_requote = true, quoted_at = %(at)s where link_id = %(link_id)s
