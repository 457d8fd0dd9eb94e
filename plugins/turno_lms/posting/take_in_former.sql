-- Land what is new, enter it in the ledger, and say what this system had posted as well.
with landed as (
    insert into raw.raw_former_posting (
        posting_key, lender, loan_id, business_date, amount, former_key, fineract_transaction_id, source_file, sha256,
        line_number, landed_by
    )
    select
        staged.posting_key,
        staged.lender,
        staged.loan_id,
        staged.business_date,
        staged.amount,
        staged.former_key,
        staged.fineract_transaction_id,
        %(file)s,
        %(sha256)s,
        staged.line_number,
        %(actor)s
    from former_posting as staged
    on conflict (posting_key) do nothing
    returning posting_key, amount
),

entered as (
    insert into core.core_transaction_data_processed (
        posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run
    )
    select
        staged.posting_key,
        %(historic)s,
        staged.lender,
        staged.loan_id,
        staged.business_date,
        staged.amount,
        staged.fineract_transaction_id,
        0,
        'cut_over/' || %(sha256)s
    from former_posting as staged
    on conflict (posting_key) do nothing
    returning posting_key
)

select
    (select count(*) from landed) as new,
    (select coalesce(sum(landed.amount), 0) from landed) as rupees,
    (select count(*) from former_posting) - (select count(*) from landed) as known,
    array(
        select staged.posting_key
        from former_posting as staged
        inner join core.core_transaction_data_processed as ended on staged.posting_key = ended.posting_key
        where ended.outcome = 'posted'
        order by 1
    ) as posted_by_both,
    (select count(*) from entered) as entered
