-- Loans whose proof is older than their newest snapshot, than the last entry of the ledger, or found a difference.
with newest as (
    select
        upper(btrim(external_id)) as loan_id,
        max(snapshot_id) as snapshot_id
    from raw.raw_fineract_loan_snapshot
    where external_id is not null
    group by upper(btrim(external_id))
),

ledger as (
    select
        loan_id,
        max(processed_at) as processed_at
    from core.core_transaction_data_processed
    group by loan_id
)

select coalesce(newest.loan_id, ledger.loan_id) as loan_id
from newest
full outer join ledger on newest.loan_id = ledger.loan_id
left join core.core_loan_proof as proof on coalesce(newest.loan_id, ledger.loan_id) = proof.loan_id
where
    proof.loan_id is null
    or newest.snapshot_id > coalesce(proof.snapshot_id, 0)
    or ledger.processed_at > proof.proved_at
    or exists (
        select 1 from core.core_recon_exception as difference
        where
            difference.loan_id = proof.loan_id
            and difference.kind = 'proof_difference'
            and difference.state = 'open'
    )
order by loan_id
