-- The records that an exception is about, those that it names as candidates, and what else its loan has near its day.
with question as (
    select
        exception.subject,
        exception.lender,
        exception.loan_id,
        (exception.detail ->> 'business_date')::date as business_date,
        case when jsonb_typeof(exception.detail -> 'sightings') = 'array' then exception.detail -> 'sightings' end
            as sightings,
        case when jsonb_typeof(exception.detail -> 'candidates') = 'array' then exception.detail -> 'candidates' end
            as candidates
    from core.core_recon_exception as exception
    where exception.exception_id = %s
),

named as (
    select
        identity.native_reference,
        'its own' as role
    from question
    inner join core.core_payment_identity as identity on question.subject = identity.posting_key
    union
    select
        sighting.native_reference,
        'its own' as role
    from question
    cross join lateral jsonb_array_elements_text(question.sightings) as sighting (native_reference)
    union
    select
        candidate.told ->> 'native_reference' as native_reference,
        'candidate' as role
    from question
    cross join lateral jsonb_array_elements(question.candidates) as candidate (told)
    union
    select
        identity.native_reference,
        'near it' as role
    from question
    inner join core.core_payment_identity as identity
        on
            question.loan_id = identity.loan_id and question.lender = identity.lender
            and identity.business_date between question.business_date - 10 and question.business_date + 10
)

select
    named.native_reference,
    case min(case named.role when 'its own' then 1 when 'candidate' then 2 else 3 end)
        when 1 then 'its own'
        when 2 then 'candidate'
        else 'near it'
    end as role
from named
where named.native_reference is not null
group by named.native_reference
order by min(case named.role when 'its own' then 1 when 'candidate' then 2 else 3 end), named.native_reference
limit 50
