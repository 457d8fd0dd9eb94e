insert into core.core_recon_exception (kind, subject, lender, amount, detail, opened_by_run)
select %(kind)s, %(subject)s, %(lender)s, %(amount)s, %(detail)s, %(run)s
where not exists (
    select 1 from core.core_recon_exception as asked
    where asked.kind = %(kind)s and asked.subject = %(subject)s
)
on conflict (kind, subject) where state = 'open' do nothing
returning exception_id
