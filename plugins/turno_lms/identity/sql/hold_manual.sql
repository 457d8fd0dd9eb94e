-- A manual entry and a payment that arrived by itself, of the same loan and amount within days, hold each other, whichever
-- came first: the one that is new now waits for a person. Where both are new it is the manual one.
with newcomer as (
    select
        unit.posting_key,
        founder.native_reference,
        founder.channel,
        founder.lender,
        founder.loan_id,
        founder.business_date,
        founder.amount
    from payment_unit as unit
    inner join new_sighting as founder on unit.founder = founder.native_reference
    where unit.matched_by = 'first_sight'
),

pair as (
    select
        newcomer.*,
        other.posting_key as other_key,
        other.business_date as other_date,
        other.channel as other_channel
    from newcomer
    inner join core.core_payment_identity as other on newcomer.loan_id = other.loan_id and newcomer.amount = other.amount
    where newcomer.channel = 'manual' and other.channel <> 'manual' and other.matched_by = 'first_sight'
    union all
    -- manual entries are few and have an index of their own: what arrives by itself is not compared with its like
    select
        newcomer.*,
        other.posting_key,
        other.business_date,
        other.channel
    from newcomer
    inner join core.core_payment_identity as other on newcomer.loan_id = other.loan_id and newcomer.amount = other.amount
    where
        newcomer.channel <> 'manual'
        and other.channel = 'manual'
        and other.matched_by = 'first_sight'
        and not exists (select 1 from newcomer as both_new where both_new.posting_key = other.posting_key)
),

twin as (
    select distinct on (pair.posting_key) pair.*
    from pair
    where abs(pair.business_date - pair.other_date) <= %(manual_days)s::integer
    order by pair.posting_key, pair.other_date, pair.other_key
)

insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    'possible_duplicate',
    posting_key,
    lender,
    loan_id,
    amount,
    jsonb_build_object(
        'native_reference', native_reference,
        'business_date', business_date,
        'first_posting_key', other_key,
        'reason', 'manual and automatic: ' || other_channel || ' has the same loan and amount on ' || other_date
    ),
    %(run)s
from twin
on conflict (kind, subject) where state = 'open' do nothing
