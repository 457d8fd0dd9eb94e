select
    matched.match_group,
    matched.rule,
    matched.side,
    matched.native_reference,
    identity.business_date,
    identity.amount,
    matched.days,
    matched.rupees,
    matched.alternatives,
    matched.is_canonical,
    matched.canonical_posting_key,
    matched.matched_at,
    matched.matched_by_run,
    matched.reason
from core.core_recon_match as matched
inner join core.core_payment_identity as identity on matched.native_reference = identity.native_reference
where identity.loan_id = %(loan_id)s
order by matched.match_group, matched.side, matched.native_reference
