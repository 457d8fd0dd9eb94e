"""Sightings as dbt would write them, by hand: what the identity step reads."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from tests.dbt.landing import Channel, LenderSetup
from turno_lms.domain import keys
from turno_lms.warehouse.connection import WarehouseConnection

ONE = LenderSetup(
    "one",
    11,
    (
        Channel("razorpay", "online", posts=True),
        Channel("file:report", "online"),
        Channel("file:bank", "online"),
        Channel("file:nach", "debits", posts=True),
        Channel("file:statement", "debits"),
    ),
)
TWO = LenderSetup("two", 12, (Channel("file:nach", "debits", posts=True), Channel("razorpay", "debits")))

_INSERT = """
insert into core.core_payment_sighting (
    native_reference, channel, stream, lender, stated_loan_id, loan_id, resolution_error, business_date, amount,
    source_key, recon_match_key, gateway_payment_reference, bank_reference, payment_status, is_collection,
    is_historic, seen_at, _txid, _read_horizon
) values (
    %(native_reference)s, %(channel)s, %(stream)s, %(lender)s, %(stated)s, %(loan_id)s, %(resolution_error)s,
    %(business_date)s, %(amount)s, %(source_key)s, %(recon_match_key)s, %(gateway)s, %(bank)s, %(status)s,
    %(is_collection)s, false, now(), pg_current_xact_id()::text::bigint, 0
)
"""


@dataclass(frozen=True)
class Seen:
    """One sighting. `gateway` and `bank` are its references, as comparable text or None."""

    native_reference: str
    channel: str = "file:nach"
    stream: str = "debits"
    lender: str = "one"
    loan_id: str | None = "ONE000001"
    day: int = 5
    amount: str = "100.00"
    gateway: str | None = None
    bank: str | None = None
    resolution_error: str | None = None
    is_collection: bool = True
    status: str = "captured"
    month: int = 1

    @property
    def business_date(self) -> date:
        return date(2026, self.month, self.day)

    @property
    def source_key(self) -> str | None:
        if self.resolution_error or self.loan_id is None:
            return None
        return keys.source_key(self.lender, self.loan_id, self.business_date, self.amount)

    def row(self) -> dict[str, Any]:
        """The columns of core_payment_sighting."""
        resolved = self.loan_id if self.source_key else None
        return {
            **vars(self),
            "stated": self.loan_id,
            "loan_id": resolved,
            "business_date": self.business_date,
            "source_key": self.source_key,
            "recon_match_key": keys.recon_match_key(resolved, self.business_date, self.amount)
            if resolved
            else None,
        }


def put_sightings(conn: WarehouseConnection, sightings: Iterable[Seen]) -> None:
    """Write sightings in one transaction, each in place of what was written under its reference before."""
    with conn.transaction():
        for seen in sightings:
            conn.execute(
                "delete from core.core_payment_sighting where native_reference = %s", (seen.native_reference,)
            )
            conn.execute(_INSERT, seen.row())


def posting_keys(conn: WarehouseConnection) -> dict[str, str]:
    """Native reference to posting key, as frozen."""
    rows = conn.execute("select native_reference, posting_key from core.core_payment_identity")
    return {row["native_reference"]: row["posting_key"] for row in rows}


def open_exceptions(conn: WarehouseConnection) -> set[tuple[str, str]]:
    """Kind and subject of every exception that waits for a person."""
    rows = conn.execute("select kind, subject from core.core_recon_exception where state = 'open'")
    return {(row["kind"], row["subject"]) for row in rows}
