-- What a person settled stays settled for as long as the rupees are the same.
with touched as (
    insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, class, detail, opened_by_run)
    select
        judged.kind,
        judged.posting_key,
        judged.lender,
        judged.loan_id,
        judged.amount,
        judged.class,
        judged.detail,
        %(run)s
    from payment_judged as judged
    where
        not exists (
            select 1 from core.core_recon_exception as settled
            where
                settled.kind = judged.kind
                and settled.subject = judged.posting_key
                and settled.state in ('resolved', 'written_off')
                and settled.amount = judged.amount
        )
    on conflict (kind, subject) where state = 'open' do update
        set detail = excluded.detail, class = excluded.class, handled_by = excluded.opened_by_run
        where (core_recon_exception.detail, core_recon_exception.class) is distinct from (excluded.detail, excluded.class)
    returning subject, xmax = 0 as is_new
),

announced as (
    insert into core.core_change_log (kind, subject)
    select distinct 'reconciliation', touched.subject from touched
)

select count(*) filter (where is_new) as touched from touched
