-- Whoever holds the account is alone: a row that a former run had taken and not given back is due now.
update core.core_payment_link
set next_try_at = now()
where
    lender = %(lender)s and gateway = %(gateway)s and state in ('planned', 'sending') and next_try_at > now()
