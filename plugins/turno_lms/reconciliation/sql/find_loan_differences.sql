-- One row for each way in which a loan differs, with the rupees at stake. A loan that was never fetched in full is not
-- judged by its transactions, and a statement of a day before the loan was first listed is not compared.
create temporary table finding as
with tolerance as (
    select
        lender.lender,
        coalesce(rule.amount_tolerance, 0) as rupees
    from core.core_lender as lender
    left join core.core_lender_recon_rule as rule on lender.lender = rule.lender
),

loan as (
    select
        recon.*,
        coalesce(tolerance.rupees, 0) as allowed,
        case
            when recon.status_id_then = 300 then 'active'
            when recon.status_id_then in (600, 700) then 'closed'
            when recon.status_id_then = 601 then 'written_off'
        end as fineract_status
    from core.core_recon_loan as recon
    left join tolerance on recon.lender = tolerance.lender
)

select
    'loan_posting_differs' as kind,
    loan.loan_id as subject,
    loan.lender,
    loan.loan_id,
    loan.in_fineract - loan.posted_by_us as rupees,
    jsonb_build_object(
        'posted_by_us', loan.posted_by_us,
        'payments_posted', loan.payments_posted,
        'in_fineract', loan.in_fineract,
        'payments_in_fineract', loan.payments_in_fineract,
        'looked_at', loan.looked_at
    ) as detail
from loan
where
    loan.looked_at is not null
    and (loan.posted_by_us, loan.payments_posted) <> (loan.in_fineract, loan.payments_in_fineract)
union all
select
    'loan_totals_differ',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    loan.repaid_by_summary - loan.repaid_by_transactions,
    jsonb_build_object(
        'by_summary', loan.repaid_by_summary, 'by_transactions', loan.repaid_by_transactions, 'looked_at', loan.looked_at
    )
from loan
where loan.repaid_by_summary <> loan.repaid_by_transactions
union all
select
    'loan_outstanding_differs',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    coalesce(max(part.fineract - part.stated) filter (where part.name = 'total'), max(part.fineract - part.stated)),
    jsonb_build_object('as_of', loan.statement_as_of)
    || jsonb_object_agg(part.name, jsonb_build_object('fineract', part.fineract, 'statement', part.stated))
from loan
cross join lateral (
    values
    ('principal', loan.principal_then, loan.statement_principal),
    ('interest', loan.interest_then, loan.statement_interest),
    ('fees', loan.fees_then, loan.statement_fees),
    ('penalties', loan.penalties_then, loan.statement_penalties),
    ('total', loan.total_then, loan.statement_total)
) as part (name, fineract, stated)
where abs(part.fineract - part.stated) > loan.allowed
group by loan.loan_id, loan.lender, loan.statement_as_of
union all
select
    'loan_dpd_differs',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    loan.total_then,
    jsonb_build_object(
        'as_of', loan.statement_as_of, 'fineract', loan.days_past_due_then, 'statement', loan.statement_days_past_due
    )
from loan
where loan.days_past_due_then <> loan.statement_days_past_due
union all
select
    'loan_status_differs',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    loan.total_then,
    jsonb_build_object(
        'as_of', loan.statement_as_of, 'fineract', loan.fineract_status, 'statement', loan.statement_status
    )
from loan
where loan.fineract_status <> loan.statement_status
union all
select
    'loan_missing_in_fineract',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    loan.statement_total,
    jsonb_build_object('as_of', loan.statement_as_of)
from loan
where loan.fineract_loan_id is null
union all
-- a lender's newest statement is of all its loans
select
    'loan_missing_in_statement',
    loan.loan_id,
    loan.lender,
    loan.loan_id,
    coalesce((newest.payload #>> '{summary,totalOutstanding}')::numeric(18, 2), 0),
    jsonb_build_object('as_of', loan.newest_statement_as_of, 'last_stated', loan.statement_as_of)
from loan
cross join lateral (
    select snapshot.payload
    from raw.raw_fineract_loan_snapshot as snapshot
    where
        snapshot.fineract_loan_id = loan.fineract_loan_id
        and snapshot.taken_at < (loan.newest_statement_as_of + 1)::timestamp at time zone 'Asia/Kolkata'
    order by snapshot.snapshot_id desc
    limit 1
) as newest
where
    loan.status_id = 300
    and loan.newest_statement_as_of is not null
    and loan.statement_as_of is distinct from loan.newest_statement_as_of
