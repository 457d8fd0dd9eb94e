-- The payments that were waiting, each with what it lacks now: null when it is matched, or when both sides are there and
-- differ, which the identity step has made an exception already.
create temporary table payment_judged as
select
    side.posting_key,
    min(side.lender) as lender,
    min(side.loan_id) as loan_id,
    min(side.amount) as amount,
    min(side.business_date) as business_date,
    jsonb_agg(side.native_reference order by side.native_reference) as sightings,
    bool_or(known.native_reference is not null) as is_matched,
    case
        when bool_or(known.native_reference is not null) then null
        when bool_and(side.side = 'file') then 'missing_in_gateway'
        when bool_and(side.side = 'gateway') then 'missing_in_file'
    end as missing
from core.core_recon_side as side
left join core.core_recon_match as known on side.native_reference = known.native_reference
group by side.posting_key
