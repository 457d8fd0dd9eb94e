-- When a loan was last proved against Fineract, and how many loans have been.
select
    extract(epoch from max(proof.proved_at)) as last_at,
    count(*) as loans
from core.core_loan_proof as proof
having count(*) > 0
