-- A warehouse after a year: turno_bench.rows payments of a twentieth as many loans, and around them, in the proportions of
-- such a year, what every page of the console shows. The last day's payments wait for the next claim; 1 of 500 is held.

create temporary table size as
select
    current_setting('turno_bench.rows')::integer as payments,
    current_setting('turno_bench.rows')::integer / 20 as loans;

insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)
select
    lender.slug,
    upper(lender.slug) as name,
    lender.nth,
    1,
    date '2024-01-01',
    'v1'
from unnest(array['gb', 'ugro', 'axle', 'kaveri']) with ordinality as lender (slug, nth);

insert into core.core_lender_stream (lender, stream, channel, is_posting_channel, posting_policy)
select
    lender,
    'nach_debits',
    'file:nach_response',
    true,
    'at_once'
from core.core_lender;

-- ---------------------------------------------------------------- loans: who they are, what they owe, their mandates

insert into raw.raw_fineract_loan_snapshot (
    fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_at, taken_by_run
)
select
    n,
    'GB' || lpad(n::text, 7, '0'),
    1 + n % 4,
    300,
    jsonb_build_object(
        'clientName', 'Client ' || n, 'clientId', n, 'clientExternalId', 'CL' || n, 'accountNo', lpad(n::text, 9, '0'),
        'principal', 100000, 'numberOfRepayments', 24, 'annualInterestRate', 18,
        'status', jsonb_build_object('id', 300, 'value', 'Active'),
        'timeline', jsonb_build_object('actualDisbursementDate', '[2024, 12, 5]'::jsonb),
        'summary', jsonb_build_object('totalOutstanding', 60000 + n % 5000, 'totalOverdue', n % 7 * 1000)
    ),
    md5(n::text),
    timestamptz '2025-12-01 06:00+05:30',
    'reconcile_loans/benchmark'
from size
cross join lateral generate_series(0, size.loans - 1) as n;

insert into raw.raw_fineract_loan_detail (
    fineract_loan_id, external_id, status_id, summary, transactions, schedule, payload_md5, taken_by_run
)
select
    loan.fineract_loan_id,
    loan.external_id,
    300,
    loan.payload -> 'summary',
    '[]',
    instalments.told,
    '',
    'reconcile_loans/benchmark'
from raw.raw_fineract_loan_snapshot as loan
cross join (
    select
        jsonb_agg(
            jsonb_build_object(
                'number', month, 'due_on', date '2024-12-05' + month * interval '1 month', 'principal', 4166.67,
                'interest', 1500, 'fees', 0, 'paid', case when month <= 11 then 5666.67 else 0 end, 'forgiven', 0,
                'outstanding', case when month <= 11 then 0 else 5666.67 end, 'met_on', null
            )
            order by month
        ) as told
    from generate_series(1, 24) as month
) as instalments;

insert into core.core_loan_look (fineract_loan_id, snapshot_id, looked_at, looked_by_run)
select
    fineract_loan_id,
    snapshot_id,
    taken_at,
    taken_by_run
from raw.raw_fineract_loan_snapshot;

insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, loaded_by_run)
select
    'HDFC' || lpad(loan.fineract_loan_id::text, 16, '0'),
    loan.external_id,
    lender.lender,
    date '2024-12-05',
    'load_umrn_master/benchmark'
from raw.raw_fineract_loan_snapshot as loan
inner join core.core_lender as lender on loan.product_id = lender.product_id;

-- ---------------------------------------------------------------- files, a day's payments in each, and what they did not give

insert into raw.raw_s3_file_processing_log (
    bucket, key, etag, size_bytes, lender, kind, state, rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected,
    paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected, dag_id, dag_run_id, received_at, error_code
)
select
    'turnofile',
    'lenders/gb/NACH_RESPONSE_' || n || '.csv',
    n::text,
    300000,
    (array['gb', 'ugro', 'axle', 'kaveri'])[1 + n % 4],
    'nach_response',
    case when n % 100 = 0 then 'refused' else 'loaded' end,
    800, 750, 40, 0, 10, 400000000, 375000000, 20000000, 0, 5000000,
    'ingest__gb',
    'benchmark',
    timestamptz '2025-01-01 09:00+05:30' + n * interval '6 hours',
    case when n % 100 = 0 then 'unreadable_file' end
from size
cross join lateral generate_series(1, size.payments / 750) as n;

insert into raw.raw_rejected_records (
    file_id, lender, row_number, disposition, reason_code, rule, field, message, amount_paise, raw_text, mapping_version, fate,
    fate_by, fate_reason, created_at
)
select
    log.file_id,
    log.lender,
    row_number,
    case when row_number <= 40 then 'filtered' else 'rejected' end,
    case when row_number <= 40 then 'status' else 'umrn_unknown' end,
    'columns.status',
    'status',
    'not taken',
    500000,
    '1,"Client",HDFC7000100151000001,05/01/2026,5000.00,Returned,04,Balance Insufficient',
    'v1',
    case when row_number <= 40 or log.file_id % 50 = 0 then 'open' else 'replayed' end,
    case when row_number > 40 and log.file_id % 50 <> 0 then 'operator' end,
    case when row_number > 40 and log.file_id % 50 <> 0 then 'the mandate has come' end,
    log.received_at
from raw.raw_s3_file_processing_log as log
cross join generate_series(1, 50) as row_number;

-- ---------------------------------------------------------------- payments and what became of them

insert into core.core_transaction_data (
    posting_key, source_key, occurrence, recon_match_key, lender, loan_id, business_date, amount, stream, channels_seen,
    sightings, first_seen_at, bank_reference, payment_status, reconciliation_status, posting_policy, posting_block,
    payment_type_id, _txid, _read_horizon
)
select
    md5('payment' || n),
    md5('payment' || n),
    1,
    md5('match' || n),
    (array['gb', 'ugro', 'axle', 'kaveri'])[1 + n % 4],
    'GB' || lpad((n % size.loans)::text, 7, '0'),
    date '2025-01-01' + n / 3000,
    4000 + n % 1000,
    'nach_debits',
    array['file:nach_response'],
    1,
    timestamptz '2025-01-01 00:00+05:30' + n * interval '30 seconds',
    'UTR' || n,
    'captured',
    'matched',
    'at_once',
    case when n % 500 = 0 then 'possible_duplicate' end,
    1,
    pg_current_xact_id()::text::bigint,
    1
from size
cross join lateral generate_series(1, size.payments) as n;

insert into core.core_transaction_data_processed (
    posting_key, outcome, lender, loan_id, business_date, amount, fineract_transaction_id, attempts, processed_by_run
)
select
    md5('payment' || n),
    'posted',
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    n,
    1,
    'post_repayments/benchmark'
from size
cross join lateral generate_series(1, size.payments - current_setting('turno_bench.waiting')::integer) as n
inner join core.core_transaction_data as payment on payment.posting_key = md5('payment' || n)
where payment.posting_block is null;

insert into core.core_fineract_pending_transactions (
    posting_key, lender, loan_id, business_date, amount, payment_type_id, channel, state, created_by_run
)
select
    payment.posting_key,
    payment.lender,
    payment.loan_id,
    payment.business_date,
    payment.amount,
    1,
    'file:nach_response',
    case when n % 20 = 0 then 'in_doubt' else 'queued' end,
    'post_repayments/benchmark'
from size
cross join lateral generate_series(size.payments - 499, size.payments) as n
inner join core.core_transaction_data as payment on payment.posting_key = md5('payment' || n)
where payment.posting_block is null;

insert into core.core_fineract_transaction_archive (
    posting_key, lender, loan_id, business_date, amount, outcome, attempt, tries, created_by_run, ended_by_run, ended_at
)
select
    posting_key,
    lender,
    loan_id,
    business_date,
    amount,
    'posted',
    1,
    1,
    processed_by_run,
    processed_by_run,
    business_date + interval '1 day'
from core.core_transaction_data_processed;

insert into raw.raw_fineract_api_log (
    dag_id, dag_run_id, purpose, subject, method, path, idempotency_key, status_code, outcome, duration_ms, called_at
)
select
    'post_repayments',
    'benchmark',
    'post repayment',
    posting_key,
    'POST',
    '/loans/1/transactions',
    posting_key || '-a1',
    200,
    'posted',
    50,
    ended_at
from core.core_fineract_transaction_archive;

insert into core.core_payment_identity (
    native_reference, posting_key, source_key, occurrence, lender, loan_id, business_date, amount, stream, channel, matched_by,
    first_seen_at, is_posting_channel
)
select
    'file:' || posting_key,
    posting_key,
    source_key,
    1,
    lender,
    loan_id,
    business_date,
    amount,
    stream,
    'file:nach_response',
    'first_sight',
    first_seen_at,
    true
from core.core_transaction_data;

-- a sixteenth is asked about, half of it still; some of it by posting
insert into core.core_recon_exception (
    kind, subject, lender, loan_id, amount, detail, opened_by_run, opened_at, state, closed_at, closed_by, close_reason
)
select
    case when right(posting_key, 3) = '000' then 'posting_failed' else 'missing_in_gateway' end,
    posting_key,
    lender,
    loan_id,
    amount,
    jsonb_build_object('business_date', business_date, 'sightings', jsonb_build_array('file:' || posting_key)),
    'reconcile_transactions/benchmark',
    first_seen_at,
    fate.state,
    case when fate.state <> 'open' then now() end,
    case when fate.state <> 'open' then 'reconcile_transactions/benchmark' end,
    case when fate.state <> 'open' then 'the gateway told of it' end
from core.core_transaction_data
cross join lateral (
    select case when left(posting_key, 1) < '8' then 'open' else 'cleared' end as state
) as fate
where right(posting_key, 1) = '0';

-- ---------------------------------------------------------------- webhooks, one a payment

create table raw.raw_gb_razorpay_api partition of raw.raw_razorpay_api for values in ('gb');
insert into raw.raw_razorpay_api (
    lender, event_key, body_sha256, event_type, body, payload, headers, verdict, received_at
)
select
    'gb',
    'evt_' || n,
    md5(n::text),
    'payment.captured',
    '',
    '{}',
    '{}',
    'verified_current',
    timestamptz '2025-01-01 00:00+05:30' + n * interval '30 seconds'
from size
cross join lateral generate_series(1, size.payments) as n;

insert into raw.raw_webhook_dead_letter (gateway, lender, reason_code, event_key, body_sha256, body, headers, fate)
select
    'razorpay',
    'gb',
    'not_json',
    'dead_' || n,
    md5(n::text),
    '',
    '{}',
    case when n % 20 = 0 then 'open' else 'discarded' end
from generate_series(1, 1000) as n;

insert into core.core_gateway_replay (
    selection, reason, requested_by, requested_by_run, events, dead_letters_landed, dead_letters_left
)
select
    '{}',
    'asked',
    'operator',
    'replay_webhooks/benchmark',
    10,
    0,
    0
from generate_series(1, 300);

-- ---------------------------------------------------------------- LOS: four operations a loan, 1 of 200 waits for a person

insert into raw.raw_los_submission (operation, caller, reference, payload, received_at)
select
    step.operation,
    'los',
    step.operation || n,
    jsonb_build_object('client_id', 'CL' || n, 'mobile_no', '98' || lpad(n::text, 8, '0')),
    timestamptz '2024-12-01 00:00+05:30' + n * interval '10 minutes'
from size
cross join lateral generate_series(0, size.loans - 1) as n
cross join unnest(array['create_client', 'create_loan', 'approve_loan', 'disburse_loan']) as step (operation);

insert into core.core_los_processed (
    operation, submission_id, caller, reference, subject, loan_id, client_id, submitted_at, state, reason, message, claimed_by_run,
    ended_at, ended_by_run
)
select
    submission.operation,
    submission.submission_id,
    submission.caller,
    submission.reference,
    'loan:' || client.loan_id,
    client.loan_id,
    client.client_id,
    submission.received_at,
    case when client.is_held then 'held' else 'done' end,
    case when client.is_held then 'figures_differ' end,
    case when client.is_held then 'the instalment is 5,666.67 and not 5,499.00' end,
    'run_los_operations/benchmark',
    case when not client.is_held then submission.received_at end,
    case when not client.is_held then 'run_los_operations/benchmark' end
from raw.raw_los_submission as submission
cross join lateral (
    select
        submission.payload ->> 'client_id' as client_id,
        'GB' || lpad(substr(submission.payload ->> 'client_id', 3), 7, '0') as loan_id,
        submission.operation = 'disburse_loan' and right(submission.payload ->> 'client_id', 2) = '50' as is_held
) as client;

insert into raw.raw_los_refused_row (operation, caller, row_number, reference, reason, field, problem, refused_by_run)
select
    'create_client',
    'los',
    n,
    'r' || n,
    'bad_row',
    'mobile_no',
    'is no phone number',
    'run_los_operations/benchmark'
from generate_series(1, 2000) as n;

-- ---------------------------------------------------------------- links: two a loan in the year, with their calls

insert into core.core_payment_link (
    reference, lender, loan_id, gateway, purpose, client_id, due_on, attempt, amount, state, accept_partial, amount_paid,
    created_at, created_by, created_by_run, changed_by_run, ended_at
)
select
    'tl-' || loan.fineract_loan_id || '-' || nth,
    lender.lender,
    loan.external_id,
    'razorpay',
    'overdue',
    loan.fineract_loan_id,
    date '2025-06-05' + nth * 90,
    1,
    5666.67,
    link.state,
    false,
    case when link.state = 'paid' then 5666.67 else 0 end,
    timestamptz '2025-06-05 00:00+05:30' + loan.fineract_loan_id * interval '3 minutes' + nth * interval '90 days',
    'operator',
    'create_payment_links/benchmark',
    'refresh_payment_links/benchmark',
    case when link.state <> 'open' then now() end
from raw.raw_fineract_loan_snapshot as loan
inner join core.core_lender as lender on loan.product_id = lender.product_id
cross join generate_series(1, 2) as nth
cross join lateral (
    select
        case
            when nth = 2 and loan.fineract_loan_id % 20 = 0 then 'open'
            when loan.fineract_loan_id % 3 = 0 then 'expired'
            else 'paid'
        end as state
) as link;

insert into raw.raw_payment_link_call (reference, gateway, method, path, status_code, outcome, duration_ms, called_by_run)
select
    link.reference,
    'razorpay',
    case nth when 1 then 'POST' else 'GET' end,
    '/v1/payment_links',
    200,
    'answered',
    90,
    'refresh_payment_links/benchmark'
from core.core_payment_link as link
cross join generate_series(1, 3) as nth;

insert into core.core_payment_link_payment (
    gateway_payment_reference, link_id, amount, payer_differs, told_by, told_at, told_to_run
)
select
    'razorpay:pay_' || link_id,
    link_id,
    amount,
    false,
    'webhook',
    ended_at,
    'refresh_payment_links/benchmark'
from core.core_payment_link
where state = 'paid';

-- ---------------------------------------------------------------- settlements, write-offs, foreclosures, approvals

insert into core.core_approval (
    purpose, request_key, figures, figures_hash, state, requested_by, requested_by_run, expires_at, decided_by, decided_at
)
select
    'settle_loan',
    'GB' || lpad(n::text, 7, '0'),
    jsonb_build_object('loan_id', 'GB' || lpad(n::text, 7, '0'), 'dues_total', 60000),
    '',
    case when n % 50 = 0 then 'requested' else 'used' end,
    'operator',
    'settle_loan/benchmark',
    now() + interval '1 day',
    case when n % 50 <> 0 then 'admin' end,
    case when n % 50 <> 0 then now() end
from generate_series(1, 2000) as n;

insert into core.core_settlement (
    settlement_ref, lender, loan_id, state, amount, dues_principal, dues_interest, dues_fees, dues_penalties, dues_total, waived,
    remainder, ending, waiver_wish, tolerance, band, approval_id, reason, evidence, requested_by, requested_by_run, requested_at,
    executed_on, executed_dues, executed_paid, executed_waived, executed_remainder
)
select
    'S' || approval_id,
    'gb',
    request_key,
    case state when 'requested' then 'requested' else 'done' end,
    50000, 50000, 10000, 0, 0, 60000, 10000, 0, 'goodwill_credit', '{}', 0, 'up to 10 %',
    approval_id,
    'illness',
    'letter',
    'operator',
    'settle_loan/benchmark',
    now() - approval_id * interval '4 hours',
    current_date - approval_id::integer / 6, 60000, 50000, 10000, 0
from core.core_approval;

insert into core.core_write_off (
    write_off_ref, lender, loan_id, state, request_key, dues_principal, dues_interest, dues_fees, dues_penalties, dues_total,
    days_past_due, charges_off, band, reason, requested_by, requested_by_run, requested_at, executed_on
)
select
    'W' || n,
    'ugro',
    'GB' || lpad(n::text, 7, '0'),
    'done',
    'W' || n, 50000, 10000, 0, 0, 60000, 200, false, 'up to 100,000',
    'vehicle stolen',
    'operator',
    'write_off_loan/benchmark',
    now() - n * interval '4 hours',
    current_date - n / 6
from generate_series(5001, 6000) as n;

insert into core.core_foreclosure (
    foreclosure_ref, lender, loan_id, state, quoted_on, quoted_principal, quoted_interest, quoted_fees, quoted_penalties,
    quoted_total, reason, requested_by, requested_by_run, requested_at, executed_on
)
select
    'F' || n,
    'axle',
    'GB' || lpad(n::text, 7, '0'),
    'done',
    date '2025-11-05', 50000, 500, 0, 0, 50500,
    'paid off early',
    'operator',
    'foreclose_loan/benchmark',
    now() - n * interval '4 hours',
    current_date - n / 6
from generate_series(7001, 8000) as n;

insert into core.core_posting_switch (lender, channel, state, reason, set_by)
select
    'gb',
    'file:nach_response',
    case when n % 2 = 0 then 'open' else 'stopped' end,
    'bank statement in doubt',
    'operator'
from generate_series(1, 100) as n;
