-- A conflict that a person resolved stays resolved for as long as it says the same.
with opened as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    select
        'identity_conflict',
        conflict.posting_key,
        founder.lender,
        founder.loan_id,
        founder.amount,
        jsonb_build_object('reasons', conflict.reasons),
        %(run)s
    from conflict
    inner join core.core_payment_identity as founder
        on conflict.posting_key = founder.posting_key and founder.matched_by = 'first_sight'
    where
        conflict.reasons is not null
        and not exists (
            select 1 from core.core_recon_exception as resolved
            where
                resolved.kind = 'identity_conflict'
                and resolved.subject = conflict.posting_key
                and resolved.state = 'resolved'
                and resolved.detail = jsonb_build_object('reasons', conflict.reasons)
        )
    on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
    where core_recon_exception.detail <> excluded.detail
    returning subject
)

insert into core.core_change_log (kind, subject)
select 'identity', opened.subject from opened
