{{ config(materialized="table", tags=["reconciliation_loans"], indexes=[{"columns": ["loan_id"]}]) }}

{#-
  A loan three ways: what we posted, what Fineract has, and what its lender's statement says. Ours and Fineract's are of
  one moment, the one at which the loan was asked for; what was posted after it is left out on both sides. A statement is
  held against the loan as it was at noon (IST) of the day after, the daily list of that morning included.
-#}
with detail as (
    select distinct on (fetched.fineract_loan_id)
        fetched.fineract_loan_id,
        {{ canonical_loan_id('fetched.external_id') }} as loan_id,
        fetched.status_id,
        fetched.summary,
        fetched.transactions,
        looked.looked_at
    from {{ source('landing', 'raw_fineract_loan_detail') }} as fetched
    inner join {{ source('state', 'core_loan_look') }} as looked on fetched.fineract_loan_id = looked.fineract_loan_id
    order by fetched.fineract_loan_id asc, fetched.detail_id desc
),

-- What came in or was credited, by Fineract's types. What lies beyond the dues is no repayment of the loan, and a recovery
-- (8) pays none of the dues, which were written off before it.
booked as (
    select
        detail.fineract_loan_id,
        coalesce(sum(entry.amount) filter (where entry.is_ours and not entry.is_later), 0) as in_fineract,
        count(*) filter (where entry.is_ours and not entry.is_later)::integer as ours,
        coalesce(sum(entry.amount) filter (where not entry.is_ours), 0) as foreign_rupees,
        coalesce(sum(entry.amount - entry.overpaid) filter (where not entry.is_recovery), 0) as repaid
    from detail
    cross join lateral (
        select
            (told ->> 'amount')::numeric as amount,
            (told ->> 'overpaid')::numeric as overpaid,
            (told ->> 'type_id')::integer = 8 as is_recovery,
            told ->> 'external_id' ~ '^[0-9a-f]{32}(-o[0-9]+)?(-r[0-9]+)?$' as is_named_ours,
            told ->> 'external_id' as external_id
        from jsonb_array_elements(detail.transactions) as told
        where
            not (told ->> 'is_reversed')::boolean
            and (told ->> 'type_id')::integer in (2, 5, 8, 17, 21, 22, 23, 26, 28, 31, 33)
    ) as transaction
    left join {{ source('state', 'core_transaction_data_processed') }} as processed
        on transaction.external_id = processed.posting_key and processed.outcome = 'posted'
    cross join lateral (
        select
            transaction.amount,
            transaction.overpaid,
            transaction.is_recovery,
            coalesce(transaction.is_named_ours, false) as is_ours,
            coalesce(processed.processed_at >= detail.looked_at, false) as is_later
    ) as entry
    group by detail.fineract_loan_id
),

ledger as (
    select
        detail.fineract_loan_id,
        sum(processed.amount) as posted,
        count(*)::integer as payments
    from detail
    inner join {{ source('state', 'core_transaction_data_processed') }} as processed on detail.loan_id = processed.loan_id
    where processed.outcome = 'posted' and processed.processed_at < detail.looked_at
    group by detail.fineract_loan_id
),

statement as (
    select distinct on (said.lender, said.loan_id) said.*
    from {{ source('landing', 'raw_lender_loan_statement') }} as said
    order by said.lender asc, said.loan_id asc, said.as_of desc
),

newest_statement as (
    select
        said.lender,
        max(said.as_of) as as_of
    from {{ source('landing', 'raw_lender_loan_statement') }} as said
    group by said.lender
),

known as (
    select distinct on (snapshot.fineract_loan_id)
        snapshot.fineract_loan_id,
        {{ canonical_loan_id('snapshot.external_id') }} as loan_id,
        lender.lender,
        snapshot.status_id
    from {{ source('landing', 'raw_fineract_loan_snapshot') }} as snapshot
    inner join {{ source('state', 'core_lender') }} as lender on snapshot.product_id = lender.product_id
    where snapshot.external_id is not null
    order by snapshot.fineract_loan_id asc, snapshot.snapshot_id desc
)

select
    coalesce(known.lender, statement.lender) as lender,
    coalesce(known.loan_id, statement.loan_id) as loan_id,
    known.fineract_loan_id,
    known.status_id,
    detail.looked_at,
    coalesce(ledger.payments, 0) as payments_posted,
    coalesce(ledger.posted, 0)::numeric(18, 2) as posted_by_us,
    coalesce(booked.ours, 0) as payments_in_fineract,
    coalesce(booked.in_fineract, 0)::numeric(18, 2) as in_fineract,
    coalesce(booked.foreign_rupees, 0)::numeric(18, 2) as foreign_in_fineract,
    coalesce(booked.repaid, 0)::numeric(18, 2) as repaid_by_transactions,
    (detail.summary ->> 'totalRepayment')::numeric(18, 2) as repaid_by_summary,
    newest_statement.as_of as newest_statement_as_of,
    statement.as_of as statement_as_of,
    statement.principal_outstanding as statement_principal,
    statement.interest_outstanding as statement_interest,
    statement.fees_outstanding as statement_fees,
    statement.penalties_outstanding as statement_penalties,
    statement.total_outstanding as statement_total,
    statement.days_past_due as statement_days_past_due,
    statement.status as statement_status,
    then_known.status_id as status_id_then,
    (then_known.summary ->> 'principalOutstanding')::numeric(18, 2) as principal_then,
    (then_known.summary ->> 'interestOutstanding')::numeric(18, 2) as interest_then,
    (then_known.summary ->> 'feeChargesOutstanding')::numeric(18, 2) as fees_then,
    (then_known.summary ->> 'penaltyChargesOutstanding')::numeric(18, 2) as penalties_then,
    (then_known.summary ->> 'totalOutstanding')::numeric(18, 2) as total_then,
    case
        when then_known.summary is not null
            then coalesce(statement.as_of - {{ fineract_date("(then_known.summary -> 'overdueSinceDate')") }}, 0)
    end as days_past_due_then
from known
full outer join statement on known.loan_id = statement.loan_id and known.lender = statement.lender
left join newest_statement on coalesce(known.lender, statement.lender) = newest_statement.lender
left join detail on known.fineract_loan_id = detail.fineract_loan_id
left join booked on known.fineract_loan_id = booked.fineract_loan_id
left join ledger on known.fineract_loan_id = ledger.fineract_loan_id
left join lateral (
    select
        snapshot.status_id,
        snapshot.payload -> 'summary' as summary
    from {{ source('landing', 'raw_fineract_loan_snapshot') }} as snapshot
    where
        snapshot.fineract_loan_id = known.fineract_loan_id
        and snapshot.taken_at < (statement.as_of + 1 + time '12:00') at time zone 'Asia/Kolkata'
    order by snapshot.snapshot_id desc
    limit 1
) as then_known on statement.as_of is not null
