-- The end of an intent: out of the queue, into the archive and the ledger, and announced. The lease and the fence keep
-- late comers out; what is posted stays posted.
with lease as (
    update core.core_loan_lease
    set expires_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
    where loan_id = %(loan)s and fence = %(fence)s
    returning loan_id
),

ended as (
    delete from core.core_fineract_pending_transactions as pending
    using lease
    where
        pending.posting_key = %(posting_key)s
        and pending.fence = %(fence)s
        and not exists (
            select 1 from core.core_transaction_data_processed as earlier
            where earlier.posting_key = pending.posting_key and earlier.outcome in ('posted', 'reversed')
        )
    returning pending.*
),

archived as (
    insert into core.core_fineract_transaction_archive (
        posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, fineract_transaction_id,
        status_code, error_code, error_message, kind, ended_by, created_by_run, ended_by_run
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
        kind,
        %(settled_by)s,
        created_by_run,
        %(run)s
    from ended
),

announced as (
    insert into core.core_change_log (kind, subject)
    select
        'posting',
        posting_key
    from ended
),

asked_a_person as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    select
        %(exception_kind)s,
        posting_key,
        lender,
        loan_id,
        amount,
        jsonb_build_object(
            'reason', concat_ws(': ', %(error_code)s::text, %(error_message)s::text), 'attempt', attempt, 'tries', tries
        ),
        %(run)s
    from ended
    where %(exception_kind)s::text is not null
    on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
),

answered as (
    update core.core_recon_exception as question
    set state = 'cleared', closed_at = now(), closed_by = %(run)s, close_reason = %(outcome)s
    from ended
    where
        %(exception_kind)s::text is null
        and question.subject = ended.posting_key
        and question.kind = any(%(questions)s)
        and question.state = 'open'
),

processed as (
    insert into core.core_transaction_data_processed as processed (
        posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts,
        error_code, error_message, kind, processed_by_run
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
        kind,
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
            kind = excluded.kind,
            processed_at = now(),
            processed_by_run = excluded.processed_by_run,
            _txid = pg_current_xact_id()::text::bigint
    returning processed.posting_key
)

select
    (select count(*) from lease) as leases,
    (select count(*) from processed) as written
