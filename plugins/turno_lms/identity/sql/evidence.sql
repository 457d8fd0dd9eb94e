-- Rows that were loaded, and decisions that were made, after the build read its input are the next build's; but a row
-- that has waited longer than any build or load may last was skipped, even by a model that says it has read nothing.
with accepted as (
    select sighting.native_reference
    from raw.raw_payment_file as landed
    left join core.core_payment_sighting as sighting
        on landed._file_id = sighting.file_id and landed._row_number = sighting.row_number
    where
        landed._txid >= %(file_from)s
        and (landed._txid < %(file_until)s or landed._loaded_at < now() - %(patience)s)
),

sighted as (
    select identity.posting_key
    from core.core_payment_sighting as sighting
    left join core.core_payment_identity as identity on sighting.native_reference = identity.native_reference
    where
        sighting._txid >= %(sighting_from)s
        and sighting.is_collection
        and sighting.resolution_error is null
),

frozen as (
    select distinct coalesce(decision.linked_posting_key, identity.posting_key) as posting_key
    from core.core_payment_identity as identity
    left join core.core_payment_decision as decision on identity.posting_key = decision.posting_key
    where identity._txid >= %(transaction_from)s
),

stray as (
    select payment.posting_key
    from core.core_transaction_data as payment
    left join core.core_payment_identity as founder
        on payment.posting_key = founder.posting_key and founder.matched_by = 'first_sight'
    where payment._txid >= %(transaction_from)s and founder.posting_key is null
    union
    select change.subject
    from core.core_change_log as change
    inner join core.core_payment_decision as decision on change.subject = decision.posting_key
    inner join core.core_transaction_data as payment on decision.posting_key = payment.posting_key
    where
        change._txid >= %(transaction_from)s
        and change._txid < %(transaction_until)s
        and change.kind = 'decision'
        and decision.decision = 'link'
)

select
    (select count(*) from accepted) as rows_accepted,
    (select count(*) from accepted where native_reference is null) as rows_not_sighted,
    (select count(*) from sighted) as sightings_resolved,
    (select count(*) from sighted where posting_key is null) as sightings_without_identity,
    (select count(*) from frozen) as posting_keys,
    (
        select count(*) from frozen
        where not exists (
            select 1 from core.core_transaction_data as payment where payment.posting_key = frozen.posting_key
        )
    ) as keys_without_transaction,
    (select count(*) from stray) as transactions_without_key
