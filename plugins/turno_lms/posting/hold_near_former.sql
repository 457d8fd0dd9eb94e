-- Money that the former system may have posted under another date: same loan, same rupees, days apart, and nothing else
-- of ours explains its posting. A person says whether it is the same; asked once.
insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    %(kind)s,
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.amount,
    jsonb_build_object(
        'reason', 'the former system posted the same rupees on ' || to_char(min(former.business_date), 'YYYY-MM-DD'),
        'former_key', min(former.posting_key)
    ),
    %(run)s
from core.core_transaction_data_processed as former
inner join core.core_lender as lender on former.lender = lender.lender
inner join core.core_transaction_data as payment
    on
        former.loan_id = payment.loan_id
        and former.amount = payment.amount
        and payment.business_date between former.business_date - %(days)s::integer and former.business_date + %(days)s::integer
where
    former.outcome = 'historic'
    and former.business_date >= lender.post_from - %(days)s::integer
    and payment.posting_block is null
    and not exists (select from core.core_transaction_data as own where own.posting_key = former.posting_key)
    and not exists (select from core.core_transaction_data_processed as ended where ended.posting_key = payment.posting_key)
    and not exists (
        select from core.core_fineract_pending_transactions as intent where intent.posting_key = payment.posting_key
    )
    and not exists (
        select from core.core_recon_exception as earlier
        where earlier.kind = %(kind)s and earlier.subject = payment.posting_key
    )
group by payment.posting_key, payment.lender, payment.loan_id, payment.amount
on conflict (kind, subject) where state = 'open' do nothing
