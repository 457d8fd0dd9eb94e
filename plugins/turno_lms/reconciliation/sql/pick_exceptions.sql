-- The exceptions that a person named, locked until the action is done.
select
    exception_id,
    kind,
    subject,
    lender,
    loan_id,
    amount,
    state,
    progress,
    owner
from core.core_recon_exception
where exception_id = any(%(ids)s)
order by exception_id
for update
