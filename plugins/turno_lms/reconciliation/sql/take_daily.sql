-- How it stands now: payments by status and open exceptions by kind, each by lender and age.
with payment as (
    select
        recorded.lender,
        'payment' as measure,
        recorded.reconciliation_status as status,
        core.recon_age(%(day)s - recorded.business_date) as age,
        recorded.amount
    from core.core_transaction_data as recorded
    where recorded.reconciliation_status <> 'not_applicable'
),

question as (
    select
        coalesce(standing.lender, '') as lender,
        'exception' as measure,
        standing.kind as status,
        standing.age,
        coalesce(standing.amount, 0) as amount
    from core.core_recon_exception_standing as standing
    where standing.state = 'open'
)

insert into core.core_recon_daily (day, lender, measure, status, age, items, rupees, taken_by_run)
select
    %(day)s,
    one.lender,
    one.measure,
    one.status,
    one.age,
    count(*)::integer,
    sum(one.amount),
    %(run)s
from (
    select * from payment
    union all
    select * from question
) as one
group by one.lender, one.measure, one.status, one.age
