-- What the pipelines have still to do. Every figure is zero when all that has landed has reached its end.
-- Money that people must decide about (blocks, exceptions) or have stopped (the switch) is not work left.
select
    (
        select count(*)
        from raw.raw_payment_file as landed
        where not exists (
            select from core.core_payment_sighting as seen
            where seen.file_id = landed._file_id and seen.row_number = landed._row_number
        )
    ) as file_rows_to_build,
    (
        select count(*)
        from raw.raw_razorpay_api as landed
        where not exists (
            select from base.base_razorpay_event as built
            where built.lender = landed.lender and built.event_key = landed.event_key
        )
    ) as webhooks_to_build,
    (
        select count(*)
        from core.core_transaction_data as payment
        left join core.core_lender_stream as posting
            on payment.lender = posting.lender and payment.stream = posting.stream and posting.is_posting_channel
        where payment.posting_block is null
            and core.posting_switch(payment.lender, coalesce(posting.channel, '')) = 'open'
            and not exists (
                select from core.core_transaction_data_processed as ended
                where ended.posting_key = payment.posting_key
            )
            and not exists (
                select from core.core_fineract_pending_transactions as intent
                where intent.posting_key = payment.posting_key and intent.state = 'in_doubt'
            )
    ) as payments_to_post,
    (
        select count(*)
        from core.core_transaction_data as payment
        where payment.reconciliation_status = 'pending'
    ) as payments_to_reconcile
