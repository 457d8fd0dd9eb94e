with touched as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    select
        judged.missing,
        judged.posting_key,
        judged.lender,
        judged.loan_id,
        judged.amount,
        jsonb_build_object('business_date', judged.business_date, 'sightings', judged.sightings),
        %(run)s
    from payment_judged as judged
    left join core.core_payment_decision as decision on judged.posting_key = decision.posting_key
    where judged.missing is not null and decision.linked_posting_key is null
    on conflict (kind, subject) where state = 'open' do nothing
    returning subject
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) as touched from touched
