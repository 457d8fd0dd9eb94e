-- A reversal is done: the ledger says so, the archive keeps it, the question about it is answered.
with done as (
    update core.core_reversal
    set state = 'done', last_error = null, ended_at = now(), ended_by_run = %(run)s
    where posting_key = %(key)s and fence = %(fence)s and state = 'in_flight'
    returning *
),

reversed as (
    update core.core_transaction_data_processed as processed
    set
        outcome = 'reversed',
        error_message = done.reason,
        processed_at = now(),
        processed_by_run = %(run)s,
        _txid = pg_current_xact_id()::text::bigint
    from done
    where processed.posting_key = done.posting_key and processed.outcome = 'posted'
    returning processed.*
),

archived as (
    insert into core.core_fineract_transaction_archive (
        posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, fineract_transaction_id,
        error_message, kind, ended_by, created_by_run, ended_by_run
    )
    select
        reversed.posting_key,
        reversed.lender,
        reversed.loan_id,
        reversed.business_date,
        reversed.amount,
        'reversed',
        reversed.attempts,
        1,
        reversed.fineract_transaction_id,
        done.reason,
        reversed.kind,
        done.requested_by,
        %(run)s,
        %(run)s
    from reversed
    inner join done on reversed.posting_key = done.posting_key
),

answered as (
    update core.core_recon_exception as question
    set state = 'resolved', closed_at = now(), closed_by = done.requested_by, close_reason = 'reversed: ' || done.reason
    from done
    where
        question.subject = done.posting_key
        and question.kind in ('bounced_after_posting', 'returned_after_posting')
        and question.state = 'open'
)

insert into core.core_change_log (kind, subject)
select
    'posting',
    posting_key
from reversed
