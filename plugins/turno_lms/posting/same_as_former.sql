-- Close the question and enter the payment as historic, in one step.
with answered as (
    update core.core_recon_exception as question
    set
        state = 'resolved',
        closed_at = now(),
        closed_by = %(actor)s,
        close_reason = %(reason)s,
        detail = question.detail || jsonb_build_object('decision', 'posted_by_former_system')
    where question.kind = %(kind)s and question.subject = %(key)s and question.state = 'open' and question.detail ? 'former_key'
    returning question.subject, question.detail ->> 'former_key' as former_key
),

entered as (
    insert into core.core_transaction_data_processed (
        posting_key, outcome, lender, loan_id, business_date, amount, attempts, error_message, processed_by_run
    )
    select
        payment.posting_key,
        %(historic)s,
        payment.lender,
        payment.loan_id,
        payment.business_date,
        payment.amount,
        0,
        'posted by the former system as ' || answered.former_key || ': ' || %(reason)s,
        'cut_over/' || %(actor)s
    from answered
    inner join core.core_transaction_data as payment on answered.subject = payment.posting_key
    returning posting_key
)

select answered.former_key
from answered
inner join entered on answered.subject = entered.posting_key
