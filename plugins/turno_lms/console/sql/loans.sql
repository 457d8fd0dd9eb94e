select
    loan.loan_id,
    loan.lender,
    (
        select snapshot.payload ->> 'clientName'
        from raw.raw_fineract_loan_snapshot as snapshot
        where snapshot.fineract_loan_id = loan.fineract_loan_id
        order by snapshot.snapshot_id desc
        limit 1
    ) as client_name,
    (
        select submission.payload ->> 'mobile_no'
        from raw.raw_los_submission as submission
        where
            submission.payload ->> 'client_id' = loan.client_external_id
            and submission.operation in ('create_client', 'update_client')
            and submission.payload ->> 'mobile_no' is not null
        order by submission.received_at desc
        limit 1
    ) as mobile_no,
    loan.status,
    loan.principal,
    loan.total_outstanding,
    loan.expected_outstanding,
    loan.total_overdue,
    loan.overdue_since,
    loan.days_past_due,
    loan.total_repaid,
    loan.last_payment_on,
    loan.payments_received,
    loan.amount_received,
    loan.payments_posted,
    loan.amount_posted,
    loan.payments_blocked,
    loan.amount_blocked,
    loan.disbursed_on,
    loan.expected_maturity_on,
    loan.closed_on,
    loan.number_of_repayments,
    trim_scale(loan.annual_interest_rate) as annual_interest_rate,
    loan.installment_amount,
    loan.first_due_on,
    loan.last_due_on,
    loan.fineract_loan_id,
    loan.account_no,
    loan.client_id,
    loan.client_external_id,
    loan.taken_at
from core.core_loan_master as loan
