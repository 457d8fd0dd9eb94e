"""The SQL of `turno lenders apply`. Every statement changes a row only where it differs, so that rowcount tells."""

UPSERT_LENDER = """
insert into core.core_lender as kept (lender, name, product_id, payment_type_id, post_from, mapping_version)
values (%(lender)s, %(name)s, %(product_id)s, %(payment_type_id)s, %(post_from)s, %(mapping_version)s)
on conflict (lender) do update
set name = excluded.name, product_id = excluded.product_id, payment_type_id = excluded.payment_type_id,
    post_from = excluded.post_from, mapping_version = excluded.mapping_version, applied_at = default, _txid = default
where kept.mapping_version <> excluded.mapping_version
"""

MASKED_VIEWS = {
    "payment_file": """
select
    lender, _kind as kind, loan_id, date, amount, charge, status, payment_id, sub_reference_id,
    masked.mask(_umrn) as umrn, source_file, _file_id as file_id, _row_number as row_number, _loaded_at as loaded_at
from raw.raw_payment_file
where lender = {lender}
""",
    "gateway_event": """
select
    lender, gateway, event_key, event_type, verdict, stale, conflicting, received_at,
    masked.mask(coalesce(
        payload #>> '{{payload,payment,entity,contact}}', payload #>> '{{data,customer_details,customer_phone}}'
    )) as payer_phone
from (
    select 'razorpay' as gateway, * from raw.raw_razorpay_api
    union all
    select 'cashfree', * from raw.raw_cashfree_api
) as event
where lender = {lender}
""",
    "rejected_record": """
select
    reject_id, lender, file_id, row_number, disposition, reason_code, rule, field, amount_paise, mapping_version, fate,
    fate_by, fate_at, created_at
from raw.raw_rejected_records
where lender = {lender}
""",
}
"""What finance may see of a lender's landing: no note, no row as the file had it, numbers of people masked."""

DESCRIBED = "select obj_description(to_regclass(%s), 'pg_class') as definition"

DELETE_OF_LENDER = {
    "core_lender_stream": "delete from core.core_lender_stream where lender = %s",
    "core_lender_file_kind": "delete from core.core_lender_file_kind where lender = %s",
    "core_lender_webhook_rule": "delete from core.core_lender_webhook_rule where lender = %s",
    "core_lender_recon_rule": "delete from core.core_lender_recon_rule where lender = %s",
    "core_lender_rate_card": "delete from core.core_lender_rate_card where lender = %s",
}

INSERT = {
    "core_lender_stream": """
insert into core.core_lender_stream (lender, stream, channel, is_posting_channel, posting_policy)
values (%(lender)s, %(stream)s, %(channel)s, %(is_posting_channel)s, %(posting_policy)s)
""",
    "core_lender_file_kind": """
insert into core.core_lender_file_kind (lender, kind, stream, payment_id_is, sub_reference_id_is)
values (%(lender)s, %(kind)s, %(stream)s, %(payment_id_is)s, %(sub_reference_id_is)s)
""",
    "core_lender_webhook_rule": """
insert into core.core_lender_webhook_rule
    (lender, gateway, precedence, field, separator, part, loan_id_pattern, resolves)
values
    (%(lender)s, %(gateway)s, %(precedence)s, %(field)s, %(separator)s, %(part)s, %(loan_id_pattern)s, %(resolves)s)
""",
    "core_lender_recon_rule": """
insert into core.core_lender_recon_rule (lender, date_tolerance_days, amount_tolerance, expected_days, sla)
values (%(lender)s, %(date_tolerance_days)s, %(amount_tolerance)s, %(expected_days)s, %(sla)s)
""",
    "core_lender_rate_card": """
insert into core.core_lender_rate_card (lender, gateway, method, percent, flat, gst_percent)
values (%(lender)s, %(gateway)s, %(method)s, %(percent)s, %(flat)s, %(gst_percent)s)
""",
}

ATTACHED = """
select child.relname as name
from pg_inherits
inner join pg_class as child on child.oid = pg_inherits.inhrelid
where
    pg_inherits.inhparent in (
        'raw.raw_payment_file'::regclass, 'raw.raw_razorpay_api'::regclass, 'raw.raw_cashfree_api'::regclass
    )
"""
