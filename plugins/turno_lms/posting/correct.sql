-- What is posted in place of a reversed repayment: claimed once the reversal is done.
insert into core.core_posting_correction (
    posting_key, corrects, original_posting_key, lender, loan_id, business_date, amount, payment_type_id, bank_reference,
    channel, reason, requested_by
)
select
    %(key)s,
    %(corrects)s,
    payment.posting_key,
    payment.lender,
    %(loan_id)s,
    %(business_date)s,
    %(amount)s,
    payment.payment_type_id,
    payment.bank_reference,
    coalesce(posting.channel, ''),
    %(reason)s,
    %(actor)s
from core.core_transaction_data as payment
left join core.core_lender_stream as posting
    on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
where payment.posting_key = %(original)s
on conflict (posting_key) do nothing
