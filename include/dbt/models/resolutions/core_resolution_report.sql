{{ config(materialized="table", tags=["resolutions"]) }}

with settled as (
    select
        settlement.lender,
        date_trunc('month', settlement.executed_on)::date as month,
        count(*) as settlements,
        sum(settlement.executed_paid) as settled_rupees,
        sum(settlement.executed_remainder) filter (where settlement.ending = 'goodwill_credit') as goodwill_rupees,
        sum(settlement.executed_remainder) filter (where settlement.ending = 'write_off') as written_off_rupees
    from {{ source('state', 'core_settlement') }} as settlement
    where settlement.state = 'done'
    group by settlement.lender, date_trunc('month', settlement.executed_on)
),

-- What was waived, by what it was, as the steps say that were carried out.
waived as (
    select
        settlement.lender,
        date_trunc('month', step.booked_on)::date as month,
        sum(step.amount) filter (where step.kind = 'waive_interest') as waived_interest_rupees,
        sum(step.amount) filter (where step.kind in ('waive_charge', 'adjust_charge')) as waived_charges_rupees
    from {{ source('state', 'core_resolution_step') }} as step
    inner join {{ source('state', 'core_settlement') }} as settlement
        on step.resolution_ref = settlement.settlement_ref
    where settlement.state = 'done' and step.state = 'done'
    group by settlement.lender, date_trunc('month', step.booked_on)
),

written_off as (
    select
        write_off.lender,
        date_trunc('month', write_off.executed_on)::date as month,
        count(*) as write_offs,
        sum(write_off.dues_total) as written_off_rupees,
        sum(write_off.dues_principal) as written_off_principal_rupees
    from {{ source('state', 'core_write_off') }} as write_off
    where write_off.state = 'done'
    group by write_off.lender, date_trunc('month', write_off.executed_on)
),

foreclosed as (
    select
        foreclosure.lender,
        date_trunc('month', foreclosure.executed_on)::date as month,
        count(*) as foreclosures,
        sum(foreclosure.quoted_total) as foreclosed_rupees
    from {{ source('state', 'core_foreclosure') }} as foreclosure
    where foreclosure.state = 'done'
    group by foreclosure.lender, date_trunc('month', foreclosure.executed_on)
),

recovered as (
    select
        processed.lender,
        date_trunc('month', processed.business_date)::date as month,
        count(*) as recoveries,
        sum(processed.amount) as recovered_rupees
    from {{ source('state', 'core_transaction_data_processed') }} as processed
    where processed.outcome = 'posted' and processed.kind = 'recovery'
    group by processed.lender, date_trunc('month', processed.business_date)
),

place as (
    select lender, month from settled
    union
    select lender, month from waived
    union
    select lender, month from written_off
    union
    select lender, month from foreclosed
    union
    select lender, month from recovered
)

select
    place.lender,
    place.month,
    coalesce(settled.settlements, 0)::integer as settlements,
    coalesce(settled.settled_rupees, 0)::numeric(18, 2) as settled_rupees,
    coalesce(waived.waived_interest_rupees, 0)::numeric(18, 2) as waived_interest_rupees,
    coalesce(waived.waived_charges_rupees, 0)::numeric(18, 2) as waived_charges_rupees,
    coalesce(settled.goodwill_rupees, 0)::numeric(18, 2) as goodwill_rupees,
    coalesce(written_off.write_offs, 0)::integer as write_offs,
    (coalesce(settled.written_off_rupees, 0) + coalesce(written_off.written_off_rupees, 0))::numeric(18, 2)
        as written_off_rupees,
    coalesce(written_off.written_off_principal_rupees, 0)::numeric(18, 2) as written_off_principal_rupees,
    coalesce(recovered.recoveries, 0)::integer as recoveries,
    coalesce(recovered.recovered_rupees, 0)::numeric(18, 2) as recovered_rupees,
    coalesce(foreclosed.foreclosures, 0)::integer as foreclosures,
    coalesce(foreclosed.foreclosed_rupees, 0)::numeric(18, 2) as foreclosed_rupees
from place
left join settled on place.lender = settled.lender and place.month = settled.month
left join waived on place.lender = waived.lender and place.month = waived.month
left join written_off on place.lender = written_off.lender and place.month = written_off.month
left join foreclosed on place.lender = foreclosed.lender and place.month = foreclosed.month
left join recovered on place.lender = recovered.lender and place.month = recovered.month
