-- What a no-objection certificate says of a foreclosure: what was paid, when, by which reference, and how the loan ended.
select
    foreclosure.foreclosure_ref,
    foreclosure.lender,
    foreclosure.loan_id,
    foreclosure.quoted_total as rupees,
    foreclosure.executed_on as closed_on,
    taken.business_date as paid_on,
    foreclosure.posting_key,
    payment.bank_reference as payment_reference,
    step.fineract_transaction_id,
    foreclosure.fineract_status,
    foreclosure.fineract_outstanding
from core.core_foreclosure as foreclosure
inner join core.core_resolution_money as taken on foreclosure.posting_key = taken.posting_key
inner join core.core_resolution_step as step
    on foreclosure.foreclosure_ref = step.resolution_ref and step.kind = 'foreclose'
left join core.core_transaction_data as payment on foreclosure.posting_key = payment.posting_key
where foreclosure.foreclosure_ref = %s and foreclosure.state = 'done'
