-- What stands in the way of a resolution of one loan: repayments on their way to Fineract, reversals under way (but a
-- prepared one of its own money: taking it back is what carries that out), open questions about the loan, and another
-- resolution.
select
    (
        select array_agg(pending.posting_key || ' (' || pending.state || ')' order by pending.business_date)
        from core.core_fineract_pending_transactions as pending
        where pending.loan_id = %(loan)s
    ) as in_flight,
    (
        select array_agg(reversal.posting_key || ' (' || reversal.state || ')' order by reversal.requested_at)
        from core.core_reversal as reversal
        left join core.core_resolution_money as taken
            on reversal.posting_key = taken.posting_key and taken.resolution_ref = %(ref)s
        where
            reversal.loan_id = %(loan)s
            and reversal.state in ('prepared', 'requested', 'in_flight')
            and (reversal.state <> 'prepared' or taken.posting_key is null)
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
