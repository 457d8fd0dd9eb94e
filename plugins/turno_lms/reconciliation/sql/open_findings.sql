-- What a model found, as exceptions. What a person settled stays settled for as long as the rupees are the same.
with touched as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
    select
        finding.kind,
        finding.subject,
        finding.lender,
        finding.loan_id,
        finding.rupees,
        finding.detail,
        %(run)s
    from finding
    where
        not exists (
            select 1 from core.core_recon_exception as settled
            where
                settled.kind = finding.kind
                and settled.subject = finding.subject
                and settled.state in ('resolved', 'written_off')
                and settled.amount = finding.rupees
        )
    on conflict (kind, subject) where state = 'open' do update
        set detail = excluded.detail, amount = excluded.amount, handled_by = excluded.opened_by_run
        where (core_recon_exception.detail, core_recon_exception.amount) is distinct from (excluded.detail, excluded.amount)
    returning xmax = 0 as is_new
)

select count(*) filter (where is_new) as touched from touched
