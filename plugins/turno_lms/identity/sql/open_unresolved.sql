insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    sighting.resolution_error,
    sighting.native_reference,
    sighting.lender,
    sighting.stated_loan_id,
    sighting.amount,
    jsonb_build_object(
        'channel', sighting.channel, 'umrn', sighting.umrn, 'business_date', sighting.business_date
    ),
    %(run)s
from sighting_read as sighting
where sighting.resolution_error is not null and sighting.frozen_posting_key is null
on conflict (kind, subject) where state = 'open' do update set
    loan_id = excluded.loan_id, amount = excluded.amount, detail = excluded.detail
where
    (core_recon_exception.loan_id, core_recon_exception.amount, core_recon_exception.detail)
    is distinct from (excluded.loan_id, excluded.amount, excluded.detail)
