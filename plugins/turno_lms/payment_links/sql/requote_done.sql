update core.core_payment_link set awaits_requote = false where link_id = %(link_id)s
