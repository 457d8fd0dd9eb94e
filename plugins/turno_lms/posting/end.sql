-- The end of an intent: out of the queue, into the archive and the ledger. The fence keeps late comers out.
with ended as (
    delete from core.core_fineract_pending_transactions
    where posting_key = %(posting_key)s and fence = %(fence)s
    returning *
),

archived as (
    insert into core.core_fineract_transaction_archive (
        posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, fineract_transaction_id,
        status_code, error_code, error_message, created_by_run, ended_by_run
    )
    select
        posting_key,
        lender,
        loan_id,
        business_date,
        amount,
        %(outcome)s,
        attempt,
        tries,
        %(transaction_id)s,
        %(status_code)s,
        %(error_code)s,
        %(error_message)s,
        created_by_run,
        %(run)s
    from ended
)

insert into core.core_transaction_data_processed as processed (
    posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts,
    error_code, error_message, processed_by_run
)
select
    posting_key,
    %(outcome)s,
    lender,
    loan_id,
    business_date,
    amount,
    %(transaction_id)s,
    attempt,
    %(error_code)s,
    %(error_message)s,
    %(run)s
from ended
on conflict (posting_key) do update
    set
        outcome = excluded.outcome,
        lender = excluded.lender,
        loan_id = excluded.loan_id,
        business_date = excluded.business_date,
        amount = excluded.amount,
        fineract_transaction_id = excluded.fineract_transaction_id,
        attempts = excluded.attempts,
        error_code = excluded.error_code,
        error_message = excluded.error_message,
        processed_at = now(),
        processed_by_run = excluded.processed_by_run,
        _txid = pg_current_xact_id()::text::bigint
    where processed.outcome <> 'posted'
