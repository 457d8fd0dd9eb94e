-- Reversals in lenders' files that name no payment and lie near none that was taken back: a person is asked, once.
-- After prepare_reversals.sql in one transaction, over what was told since the search before.
with told as (
    select sighting.*
    from core.core_payment_sighting as sighting
    where
        sighting._txid >= %(since)s
        and not sighting.is_collection
        and not sighting.is_historic
        and sighting.channel like 'file:%%'
        and sighting.payment_status in ('refunded', 'charged_back')
),

named as (
    select told.native_reference
    from told
    inner join core.core_payment_identity as identity on told.takes_back = identity.native_reference
    where told.stated_loan_id = identity.loan_id and told.amount = identity.amount
    union
    select told.native_reference
    from told
    inner join core.core_payment_sighting as collected
        on told.lender = collected.lender and told.bank_reference = collected.bank_reference
    where collected.is_collection and told.stated_loan_id = collected.stated_loan_id and told.amount = collected.amount
),

near as (
    select told.native_reference
    from told
    inner join core.core_reversal as reversal on told.stated_loan_id = reversal.loan_id and told.amount = reversal.amount
    where told.business_date between reversal.business_date and reversal.business_date + 10
)

insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    'reversal_unmatched',
    told.native_reference,
    told.lender,
    told.stated_loan_id,
    told.amount,
    jsonb_build_object(
        'reason', 'money went back, says ' || told.native_reference || ', and it fits no payment of this loan and amount',
        'channel', told.channel,
        'business_date', told.business_date,
        'bank_reference', told.bank_reference
    ),
    %(run)s
from told
where
    not exists (select from named where named.native_reference = told.native_reference)
    and not exists (select from near where near.native_reference = told.native_reference)
    and not exists (
        select from core.core_recon_exception as asked
        where asked.kind = 'reversal_unmatched' and asked.subject = told.native_reference
    )
