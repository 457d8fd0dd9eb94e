-- Conservation of money over all of history: every sighting of collected money that the last build has seen has one
-- posting key, whose payment is in core_transaction_data, or an open question that says why it has none. Reads
-- everything, therefore with the daily reconciliation.
-- depends_on: {{ ref('core_recon_side') }}
with seen as (
    select
        sighting.native_reference,
        sighting.resolution_error,
        identity.posting_key,
        coalesce(decision.linked_posting_key, identity.posting_key) as effective_key
    from {{ ref('core_payment_sighting') }} as sighting
    left join {{ source('state', 'core_payment_identity') }} as identity
        on sighting.native_reference = identity.native_reference
    left join {{ source('state', 'core_payment_decision') }} as decision on identity.posting_key = decision.posting_key
    where
        sighting.is_collection
        and sighting._txid < (select max(payment._read_horizon) from {{ ref('core_transaction_data') }} as payment)
)

select
    seen.native_reference,
    case
        when seen.posting_key is not null then 'its payment is missing'
        when seen.resolution_error is not null then 'no posting key, and nobody is asked why'
        else 'no posting key, though its loan is known'
    end as fault
from seen
left join {{ ref('core_transaction_data') }} as payment on seen.effective_key = payment.posting_key
left join {{ source('state', 'core_recon_exception') }} as question
    on
        seen.native_reference = question.subject
        and seen.resolution_error = question.kind
        and question.state = 'open'
where payment.posting_key is null and (seen.posting_key is not null or question.subject is null)
