-- The life of the rupee: link, payment, transaction, posting. By reference, loan id, payment reference or posting key.
select
    life.reference,
    life.lender,
    life.loan_id,
    life.purpose,
    life.due_on,
    life.link_amount,
    life.link_state,
    link.end_reason,
    link.last_error,
    link.short_url,
    replaced.reference as replaces,
    life.gateway_payment_reference,
    life.payment_amount,
    life.posting_key,
    life.business_date,
    life.posting_state,
    life.fineract_transaction_id
from core.core_payment_link_life as life
inner join core.core_payment_link as link on life.link_id = link.link_id
left join core.core_payment_link as replaced on life.replaces = replaced.link_id
where
    %(key)s in (life.reference, life.loan_id, life.gateway_payment_reference, life.posting_key, life.gateway_link_id)
order by life.link_id, life.gateway_payment_reference
