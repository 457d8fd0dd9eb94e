"""What lands in the warehouse, written by hand: lenders, loans, mandates, file rows and webhooks."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from typing import Any

from turno_lms.domain.money import rupees_to_paise
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import WarehouseConnection

POST_FROM = date(2026, 1, 1)
NOON_UTC = datetime(2026, 1, 5, 12, tzinfo=UTC)
AXLE_WEBHOOKS = (
    ("payload.payment.entity.notes.loan_id", None, None, r"AXL\d{6}", "loan_id"),
    ("payload.order.entity.receipt", "_", 1, r"AXL\d{6}", "loan_id"),
)
GB_WEBHOOKS = (
    ("payload.payment.entity.notes.umrn", None, None, "[A-Z0-9]{1,20}", "umrn"),
    ("payload.payment.entity.token_id", None, None, "token_[A-Za-z0-9]{1,40}", "token"),
)
_numbers = count(1)


@dataclass(frozen=True)
class Channel:
    """A channel of a lender's stream; a file channel says what its two references are."""

    name: str
    stream: str
    posts: bool = False
    policy: str = "at_once"
    payment_id_is: str = "own"
    sub_reference_id_is: str = "own"


MANUAL = Channel("manual", "manual_repayments", posts=True)
"""What every lender has besides its mapping."""


@dataclass(frozen=True)
class LenderSetup:
    """A lender as `turno lenders apply` leaves it in the warehouse."""

    slug: str
    product_id: int
    channels: tuple[Channel, ...]
    webhooks: tuple[tuple[str, str | None, int | None, str, str], ...] = ()
    post_from: date = POST_FROM
    payment_type_id: int = 1


GB = LenderSetup(
    "gb",
    1,
    (Channel("file:nach_response", "nach_debits", posts=True), Channel("razorpay", "nach_debits")),
    GB_WEBHOOKS,
)
UGRO = LenderSetup(
    "ugro", 2, (Channel("file:statement", "nach_debits", posts=True, sub_reference_id_is="bank_reference"),)
)
AXLE = LenderSetup(
    "axle",
    3,
    (
        Channel("razorpay", "gateway_payments", posts=True),
        Channel("file:settlement", "gateway_payments", payment_id_is="razorpay"),
        Channel("file:statement", "gateway_payments", sub_reference_id_is="bank_reference"),
    ),
    AXLE_WEBHOOKS,
    payment_type_id=2,
)


def put_lender(conn: WarehouseConnection, lender: LenderSetup) -> None:
    """Apply a lender's settings, in place of those it had; make its partitions when it is new."""
    with conn.transaction():
        conn.execute(
            "insert into core.core_lender (lender, name, product_id, payment_type_id, post_from, mapping_version)"
            " values (%(slug)s, %(slug)s, %(product_id)s, %(payment_type_id)s, %(post_from)s, 'test')"
            " on conflict (lender) do update set (product_id, payment_type_id, post_from)"
            " = (excluded.product_id, excluded.payment_type_id, excluded.post_from)",
            vars(lender),
        )
        for table in ("core_lender_stream", "core_lender_file_kind", "core_lender_webhook_rule"):
            conn.execute(f"delete from core.{table} where lender = %s", (lender.slug,))  # noqa: S608  # listed above
        for channel in (*lender.channels, MANUAL):
            _put_channel(conn, lender.slug, channel)
        for precedence, rule in enumerate(lender.webhooks, start=1):
            conn.execute(
                "insert into core.core_lender_webhook_rule values (%s, 'razorpay', %s, %s, %s, %s, %s, %s)",
                (lender.slug, precedence, *rule),
            )
        _put_partitions(conn, lender.slug)
        record_changes(conn, "lender", [lender.slug])


def _put_channel(conn: WarehouseConnection, slug: str, channel: Channel) -> None:
    conn.execute(
        "insert into core.core_lender_stream values (%s, %s, %s, %s, %s)",
        (slug, channel.stream, channel.name, channel.posts, channel.policy),
    )
    if channel.name.startswith("file:"):
        conn.execute(
            "insert into core.core_lender_file_kind values (%s, %s, %s, %s, %s)",
            (
                slug,
                channel.name.removeprefix("file:"),
                channel.stream,
                channel.payment_id_is,
                channel.sub_reference_id_is,
            ),
        )


def _put_partitions(conn: WarehouseConnection, slug: str) -> None:
    parents = {
        f"raw_{slug}": "raw_payment_file",
        f"raw_{slug}_razorpay_api": "raw_razorpay_api",
        f"raw_{slug}_cashfree_api": "raw_cashfree_api",
    }
    for table, parent in parents.items():
        conn.execute(
            f"create table if not exists raw.{table} partition of raw.{parent} for values in ('{slug}')"
        )


def put_loan(
    conn: WarehouseConnection, external_id: str, product_id: int, *, number: int | None = None, **payload: Any
) -> int:
    """Append a snapshot of a loan; returns Fineract's number of it."""
    number = number or next(_numbers)
    with conn.transaction():
        conn.execute(
            "insert into raw.raw_fineract_loan_snapshot"
            " (fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_by_run)"
            " values (%s, %s, %s, 300, %s, 'test', 'test')",
            (number, external_id, product_id, json.dumps(payload)),
        )
        record_changes(conn, "loan", [external_id])
    return number


def put_mandate(
    conn: WarehouseConnection,
    umrn: str,
    loan_id: str,
    valid_from: date = date(2025, 1, 1),
    lender: str = "gb",
) -> None:
    """Say which loan a mandate stands for from a day on, in place of what was said for that day."""
    with conn.transaction():
        conn.execute(
            "insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, loaded_by_run)"
            " values (%s, %s, %s, %s, 'test')"
            " on conflict (umrn, valid_from) do update set loan_id = excluded.loan_id,"
            " _txid = pg_current_xact_id()::text::bigint",
            (umrn, loan_id, lender, valid_from),
        )
        record_changes(conn, "umrn", [umrn])


@dataclass(frozen=True)
class FileRow:
    """An accepted row of a lender file. `amount` is rupees as canonical text."""

    loan_id: str | None = None
    amount: str = "100.00"
    date: str = "2026-01-05"
    umrn: str | None = None
    status: str | None = "collected"
    payment_id: str | None = None
    sub_reference_id: str | None = None


def put_file(
    conn: WarehouseConnection, lender: str, kind: str, rows: Iterable[FileRow], *, file_id: int | None = None
) -> int:
    """Load a file's rows in one transaction; returns the file's id."""
    file_id = file_id or next(_numbers)
    with conn.transaction():
        for number, row in enumerate(rows, start=1):
            conn.execute(
                "insert into raw.raw_payment_file (loan_id, amount, date, status, payment_id, sub_reference_id,"
                " source_file, lender, _kind, _umrn, _file_id, _row_number, _mapping_version)"
                " values (%(loan_id)s, %(amount)s, %(date)s, %(status)s, %(payment_id)s, %(sub_reference_id)s,"
                " 'test.csv', %(lender)s, %(kind)s, %(umrn)s, %(file_id)s, %(number)s, 'test')",
                {**vars(row), "lender": lender, "kind": kind, "file_id": file_id, "number": number},
            )
    return file_id


def put_manual_entry(
    conn: WarehouseConnection, lender: str, loan_id: str, amount: str = "100.00", day: str = "2026-01-05",
    reference: str | None = None,
) -> None:  # fmt: skip
    """Land a repayment entered by hand that needed no second person."""
    with conn.transaction():
        approval = conn.execute(
            "insert into core.core_approval (purpose, request_key, figures, figures_hash, state, requested_by,"
            " requested_by_run, expires_at) values ('manual_repayment', %s, '[]', '', 'used', 'asha', 'r', now())"
            " returning approval_id",
            (f"test/{next(_numbers)}",),
        ).fetchone()
        conn.execute(
            "insert into raw.raw_manual_repayment (approval_id, line, lender, loan_id, amount, date, mode, reference,"
            " entered_by, entered_by_run) values (%s, 1, %s, %s, %s, %s, 'neft', %s, 'asha', 'r')",
            ((approval or {})["approval_id"], lender, loan_id, amount, day, reference),
        )


@dataclass(frozen=True)
class RazorpayPayment:
    """A payment at Razorpay and the events that tell of it. `amount` is rupees; the event holds paise."""

    payment_id: str
    amount: str = "100.00"
    paid_at: datetime = NOON_UTC
    status: str = "captured"
    notes: Any = field(default_factory=dict)
    receipt: str | None = None
    rrn: str | None = None
    refunded: str = "0.00"

    def event(self, name: str = "payment.captured") -> dict[str, Any]:
        """The webhook's payload."""
        entity = {
            "id": self.payment_id,
            "amount": rupees_to_paise(self.amount),
            "amount_refunded": rupees_to_paise(self.refunded),
            "currency": "INR",
            "status": self.status,
            "notes": self.notes,
            "acquirer_data": {"rrn": self.rrn} if self.rrn else {},
            "created_at": int(self.paid_at.timestamp()),
        }
        payload: dict[str, Any] = {"payment": {"entity": entity}}
        if self.receipt:
            payload["order"] = {"entity": {"receipt": self.receipt}}
        return {"event": name, "payload": payload}

    def refund(
        self, rupees: str, refund_id: str = "rfnd_1", name: str = "refund.processed"
    ) -> dict[str, Any]:
        """The payload of a refund of this payment, which carries the payment as it was."""
        refund = {"id": refund_id, "payment_id": self.payment_id, "amount": rupees_to_paise(rupees)}
        event = self.event(name)
        return event | {"payload": event["payload"] | {"refund": {"entity": refund}}}

    def lost_dispute(self, rupees: str) -> dict[str, Any]:
        """The payload of a dispute that was lost."""
        dispute = {"id": "disp_1", "payment_id": self.payment_id, "amount": rupees_to_paise(rupees)}
        event = self.event("payment.dispute.lost")
        return event | {"payload": event["payload"] | {"dispute": {"entity": dispute}}}


def put_webhook(
    conn: WarehouseConnection, lender: str, payload: dict[str, Any], key: str | None = None
) -> None:
    """Store a Razorpay webhook that came to a lender's URL."""
    body = json.dumps(payload)
    conn.execute(
        "insert into raw.raw_razorpay_api (lender, event_key, body_sha256, event_type, body, payload, headers, verdict)"
        " values (%s, %s, %s, %s, %s, %s, '{}', 'verified_current')",
        (
            lender,
            key or f"event_{next(_numbers)}",
            hashlib.sha256(body.encode()).hexdigest(),
            payload["event"],
            body.encode(),
            body,
        ),
    )
