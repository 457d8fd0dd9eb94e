-- What was linked to a key that is now linked itself follows it, so that a link always leads to the money in one step.
update core.core_payment_decision set linked_posting_key = %(to)s where linked_posting_key = %(key)s
