insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    returned.kind,
    returned.posting_key,
    returned.lender,
    returned.loan_id,
    returned.amount_returned,
    returned.detail,
    %(run)s
from payment_returned as returned
where
    not exists (
        select 1 from core.core_recon_exception as resolved
        where
            resolved.kind = returned.kind
            and resolved.subject = returned.posting_key
            and resolved.state = 'resolved'
            and resolved.detail = returned.detail
    )
on conflict (kind, subject) where state = 'open' do update set amount = excluded.amount, detail = excluded.detail
where core_recon_exception.detail <> excluded.detail
