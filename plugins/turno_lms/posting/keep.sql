-- An intent in flight goes back into the queue, under its fence and the loan's lease.
with lease as (
    update core.core_loan_lease
    set expires_at = clock_timestamp() + %(lease_seconds)s * interval '1 second'
    where loan_id = %(loan)s and fence = %(fence)s
    returning loan_id
),

kept as (
    update core.core_fineract_pending_transactions as pending
    set
        state = %(state)s,
        attempt = pending.attempt + %(raise_attempt)s,
        tries = pending.tries - %(uncount)s,
        next_try_at = clock_timestamp() + %(wait)s * interval '1 second',
        last_error = %(reason)s
    from lease
    where pending.posting_key = %(posting_key)s and pending.fence = %(fence)s
    returning pending.*
),

asked_a_person as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    select
        %(exception_kind)s,
        posting_key,
        lender,
        loan_id,
        amount,
        jsonb_build_object('reason', last_error, 'attempt', attempt, 'tries', tries),
        %(run)s
    from kept
    where %(exception_kind)s::text is not null
    on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
)

select
    (select count(*) from lease) as leases,
    (select count(*) from kept) as written
