update core.core_payment_link set is_stale = true, awaits_requote = false where link_id = %(link_id)s
