{{
    config(
        materialized="table",
        pre_hook="{{ recon_plan() }}",
        tags=["reconciliation_rest", "reconciliation_rules"],
        indexes=[{"columns": ["posting_key"]}],
    )
}}

{#-
  Rule R9: what no rule pairs is named, one row per payment, by the first of these that holds: ambiguous (candidates as
  good as each other), duplicate (its own side has the same record, and that one is matched), date, amount or loan differ
  (a record of the other side that is left as well), else the other side is missing. `expected` while that is not due.
-#}
with accepted as (
    {% for pairs, condition in [
        (ref('core_recon_exact'), "true"),
        (ref('core_recon_near'), "pair.is_accepted"),
    ] -%}
    {% for side in ["file", "gateway"] -%}
    select pair.{{ side }}_native_reference as native_reference
    from {{ pairs }} as pair
    where {{ condition }}
    union all
    {% endfor -%}
    {% endfor -%}
    select member.native_reference
    from {{ ref('core_recon_group') }} as member
    where member.is_accepted
),

left_over as (
    select
        side.*,
        rule.date_tolerance_days,
        rule.expected_days,
        rule.today
    from {{ ref('core_recon_side') }} as side
    inner join {{ ref('core_recon_rule') }} as rule on side.lender = rule.lender
    where
        not exists (
            select 1 from accepted
            where accepted.native_reference = side.native_reference
        )
),

-- a payment of which both sides are known under one key and do not pair is a contradiction: identity asks about it
one_sided as (
    select left_over.posting_key
    from left_over
    group by left_over.posting_key
    having min(left_over.side) = max(left_over.side)
),

open_record as (
    select left_over.*
    from left_over
    inner join one_sided on left_over.posting_key = one_sided.posting_key
),

finding as (
    select
        own.posting_key,
        1 as rank,
        'ambiguous_match' as kind,
        jsonb_build_object('native_reference', other.native_reference, 'rule', near.rule, 'days', near.days, 'rupees', near.rupees)
            as candidate
    from {{ ref('core_recon_near') }} as near
    cross join lateral (
        values
        (near.file_native_reference, near.gateway_native_reference),
        (near.gateway_native_reference, near.file_native_reference)
    ) as pair (native_reference, other_reference)
    inner join open_record as own on pair.native_reference = own.native_reference
    inner join left_over as other on pair.other_reference = other.native_reference
    where not near.is_unambiguous
    union all
    select
        own.posting_key,
        2 as rank,
        'duplicate' as kind,
        jsonb_build_object('native_reference', twin.native_reference) as candidate
    from open_record as own
    inner join {{ source('state', 'core_recon_match') }} as twin
        on
            own.recon_match_key = twin.recon_match_key
            and own.side = twin.side
            and own.native_reference <> twin.native_reference
    union all
    select
        own.posting_key,
        2 as rank,
        'duplicate' as kind,
        jsonb_build_object('native_reference', twin.native_reference) as candidate
    from open_record as own
    inner join {{ ref('core_recon_side') }} as twin
        on own.recon_match_key = twin.recon_match_key and own.side = twin.side and own.stream = twin.stream
    inner join accepted on twin.native_reference = accepted.native_reference
    union all
    select
        own.posting_key,
        case when other.amount = own.amount then 3 else 4 end as rank,
        case when other.amount = own.amount then 'date_mismatch' else 'amount_mismatch' end as kind,
        {{ recon_candidate('other') }}
    from open_record as own
    inner join open_record as other
        on
            own.loan_id = other.loan_id
            and own.lender = other.lender
            and own.stream = other.stream
            and own.side <> other.side
            and abs(own.business_date - other.business_date)
            <= case when own.amount = other.amount then 15 else own.date_tolerance_days end
            -- what names another payment is about that one
            and coalesce(own.gateway_payment_reference = other.gateway_payment_reference, true)
            and coalesce(own.bank_reference = other.bank_reference, true)
    union all
    -- the same rupees on the same day are many loans' instalment: only a reference that both carry speaks of one payment
    select
        own.posting_key,
        5 as rank,
        'loan_mismatch' as kind,
        {{ recon_candidate('other') }}
    from open_record as own
    inner join open_record as other
        on
            own.lender = other.lender
            and own.stream = other.stream
            and own.amount = other.amount
            and own.side <> other.side
            and own.loan_id <> other.loan_id
            and abs(own.business_date - other.business_date) <= own.date_tolerance_days
            and coalesce(own.gateway_payment_reference = other.gateway_payment_reference, true)
            and coalesce(own.bank_reference = other.bank_reference, true)
    where own.settlement_reference = other.settlement_reference or own.umrn = other.umrn
),

best as (
    select
        finding.posting_key,
        finding.kind,
        jsonb_agg(finding.candidate order by finding.candidate ->> 'native_reference') as candidates,
        row_number() over (partition by finding.posting_key order by finding.rank) as nth
    from finding
    group by finding.posting_key, finding.rank, finding.kind
)

select
    open_record.posting_key,
    min(open_record.lender) as lender,
    min(open_record.loan_id) as loan_id,
    min(open_record.amount)::numeric(18, 2) as amount,
    min(open_record.business_date) as business_date,
    min(open_record.side) as side,
    case
        when best.kind is not null then best.kind
        when min(open_record.side) = 'file' then 'missing_in_gateway'
        else 'missing_in_file'
    end as kind,
    case
        when
            best.kind is null
            and max(open_record.business_date) + max(open_record.expected_days) >= max(open_record.today)
            then 'expected'
        else 'mismatched'
    end as class,
    jsonb_agg(distinct open_record.native_reference) as sightings,
    best.candidates
from open_record
left join best on open_record.posting_key = best.posting_key and best.nth = 1
group by open_record.posting_key, best.kind, best.candidates
