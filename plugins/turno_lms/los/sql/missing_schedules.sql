-- Loans without the figures of a schedule, or with figures older than the last change of what a schedule hangs on.
with latest_loan as (
    select distinct on (snapshot.fineract_loan_id)
        snapshot.fineract_loan_id,
        snapshot.external_id,
        snapshot.payload,
        snapshot.taken_at
    from raw.raw_fineract_loan_snapshot as snapshot
    order by snapshot.fineract_loan_id asc, snapshot.snapshot_id desc
),

terms as (
    select
        latest_loan.*,
        (latest_loan.payload ->> 'principal')::numeric as principal,
        case
            when jsonb_typeof(latest_loan.payload #> '{timeline,expectedMaturityDate}') = 'array'
                then
                    make_date(
                        (latest_loan.payload #>> '{timeline,expectedMaturityDate,0}')::integer,
                        (latest_loan.payload #>> '{timeline,expectedMaturityDate,1}')::integer,
                        (latest_loan.payload #>> '{timeline,expectedMaturityDate,2}')::integer
                    )
        end as matures_on
    from latest_loan
)

select terms.external_id
from terms
left join lateral (
    select
        schedule.principal,
        schedule.last_due_on
    from raw.raw_fineract_loan_schedule as schedule
    where schedule.fineract_loan_id = terms.fineract_loan_id
    order by schedule.schedule_id desc
    limit 1
) as known on true
where
    terms.external_id is not null
    and (known.principal is null or known.principal <> terms.principal or known.last_due_on <> terms.matures_on)
order by terms.taken_at
limit %(most)s
