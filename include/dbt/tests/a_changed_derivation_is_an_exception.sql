-- Rule 1: an identity is frozen. Where a sighting now says another loan, date or amount (or finds no loan any more), its
-- key is in conflict, or a person has resolved just that. Looks at the payments of the last build.
with last_built as (
    select payment.posting_key
    from {{ ref('core_transaction_data') }} as payment
    where payment._txid = {{ newest('_txid', ref('core_transaction_data')) }}
),

member_key as (
    select
        last_built.posting_key,
        last_built.posting_key as member_posting_key
    from last_built
    union all
    select
        last_built.posting_key,
        decision.posting_key as member_posting_key
    from last_built
    inner join {{ source('state', 'core_payment_decision') }} as decision
        on last_built.posting_key = decision.linked_posting_key
)

select
    identity.native_reference,
    identity.posting_key
from member_key
inner join {{ source('state', 'core_payment_identity') }} as identity
    on member_key.member_posting_key = identity.posting_key
inner join {{ ref('core_payment_sighting') }} as sighting on identity.native_reference = sighting.native_reference
where
    (identity.loan_id, identity.business_date, identity.amount)
    is distinct from (sighting.loan_id, sighting.business_date, sighting.amount)
    and not exists (
        select 1 from {{ source('state', 'core_recon_exception') }} as exception
        where
            exception.kind = 'identity_conflict'
            and exception.subject = member_key.posting_key
            and exception.state in ('open', 'resolved')
    )
