insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select
    'possible_duplicate',
    unit.posting_key,
    sighting.lender,
    sighting.loan_id,
    sighting.amount,
    jsonb_build_object(
        'native_reference', unit.founder,
        'business_date', sighting.business_date,
        'occurrence', unit.occurrence,
        'first_posting_key', unit.source_key
    ),
    %(run)s
from payment_unit as unit
inner join new_sighting as sighting on unit.founder = sighting.native_reference
where unit.matched_by = 'first_sight' and unit.occurrence > 1
