-- For each entry: payments of the same loan and amount within days, seen or entered, whatever became of them.
with entry as (
    select
        wanted.loan_id,
        wanted.amount,
        wanted.business_date,
        wanted.line
    from unnest(%(loans)s::text[], %(amounts)s::numeric[], %(dates)s::date[])
        with ordinality as wanted (loan_id, amount, business_date, line)
)

select
    entry.line,
    'payment of ' || to_char(payment.business_date, 'YYYY-MM-DD') || ' seen in '
    || array_to_string(payment.channels_seen, ', ') || ' (' || payment.posting_key || ')' as twin
from entry
inner join core.core_transaction_data as payment
    on
        entry.loan_id = payment.loan_id
        and entry.amount = payment.amount
        and payment.business_date between entry.business_date - %(days)s::integer and entry.business_date + %(days)s::integer
union all
select
    entry.line,
    'manual entry of ' || manual.date || ' by ' || manual.entered_by as twin
from entry
inner join raw.raw_manual_repayment as manual
    on
        entry.loan_id = manual.loan_id
        and entry.amount = manual.amount::numeric
        and manual.date::date between entry.business_date - %(days)s::integer and entry.business_date + %(days)s::integer
where not exists (
    select 1 from core.core_payment_identity as identity
    inner join core.core_transaction_data as payment on identity.posting_key = payment.posting_key
    where identity.native_reference = 'manual:' || manual.manual_id
)
order by 1, 2
