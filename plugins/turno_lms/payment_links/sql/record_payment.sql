insert into core.core_payment_link_payment (
    gateway_payment_reference, link_id, amount, payer_differs, told_by, told_to_run
)
values (%(reference)s, %(link_id)s, %(amount)s, %(payer_differs)s, %(told_by)s, %(run)s)
on conflict (gateway_payment_reference) do nothing
