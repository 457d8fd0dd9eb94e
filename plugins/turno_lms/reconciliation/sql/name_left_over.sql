-- What the models say of the payments in left_over_now, as far as matched_now has no match for them: R8 comes after the
-- models, and people match meanwhile.
create temporary view left_over_named as
select
    left_over.posting_key,
    left_over.lender,
    left_over.loan_id,
    left_over.amount,
    left_over.business_date,
    -- what came near has been matched with another meanwhile: nothing of the other side is left
    case
        when near.is_left or left_over.kind = 'duplicate' then left_over.kind
        when left_over.side = 'file' then 'missing_in_gateway'
        else 'missing_in_file'
    end as kind,
    left_over.class,
    left_over.sightings,
    case when near.is_left or left_over.kind = 'duplicate' then left_over.candidates end as candidates
from left_over_now as left_over
cross join lateral (
    select bool_or(
        not exists (
            select 1 from matched_now as other
            where other.native_reference = candidate.told ->> 'native_reference'
        )
    ) as is_left
    from jsonb_array_elements(left_over.candidates) as candidate (told)
) as near
left join core.core_payment_decision as decision on left_over.posting_key = decision.posting_key
where
    decision.linked_posting_key is null
    and not exists (
        select 1 from matched_now as known
        where left_over.sightings ? known.native_reference and known.posting_key = left_over.posting_key
    )
