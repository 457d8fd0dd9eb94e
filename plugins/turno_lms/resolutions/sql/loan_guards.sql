-- What stands in the way of a resolution of one loan: repayments on their way to Fineract, reversals under way, open
-- questions about the loan, and another resolution.
select
    (
        select array_agg(pending.posting_key || ' (' || pending.state || ')' order by pending.business_date)
        from core.core_fineract_pending_transactions as pending
        where pending.loan_id = %(loan)s
    ) as in_flight,
    (
        select array_agg(reversal.posting_key || ' (' || reversal.state || ')' order by reversal.requested_at)
        from core.core_reversal as reversal
        where reversal.loan_id = %(loan)s and reversal.state in ('prepared', 'requested', 'in_flight')
    ) as reversals,
    (
        select array_agg(distinct question.kind order by question.kind)
        from core.core_recon_exception as question
        where question.loan_id = %(loan)s and question.state = 'open' and question.kind <> 'resolution_stuck'
    ) as questions,
    (
        select array_agg(other.kind || ' ' || other.resolution_ref || ' (' || other.state || ')')
        from core.core_open_resolution as other
        where other.loan_id = %(loan)s and other.resolution_ref is distinct from %(ref)s
    ) as others
