"""Claim: payments that may be posted become intents in the call queue. Two claims at once take turns, and a second
claim of the same payments adds nothing.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.posting.manual import approved_manual_payments
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

_UNPOSTED = Path(__file__).with_name("unposted.sql").read_text(encoding="utf-8")
_CLAIM = Path(__file__).with_name("claim.sql").read_text(encoding="utf-8")
_HOLD_NEAR_FORMER = Path(__file__).with_name("hold_near_former.sql").read_text(encoding="utf-8")
CLAIM_LOCK = 0x7552_0C1A
"""Held by whoever adds to the queue or to what must not be queued."""
NEAR_DAYS = 7
"""How far apart two systems may date the same money."""


@dataclass(frozen=True)
class ClaimReport:
    """New intents and their rupees, by lender."""

    by_lender: dict[str, tuple[int, Decimal]]

    @property
    def claimed(self) -> int:
        """How many payments became intents."""
        return sum(count for count, _ in self.by_lender.values())

    def to_dict(self) -> dict[str, dict[str, int | str]]:
        """For XCom: intents and rupees by lender."""
        return {
            lender: {"claimed": count, "rupees": canonical_amount(rupees)}
            for lender, (count, rupees) in self.by_lender.items()
        }


def claim(conn: WarehouseConnection, run: RunContext) -> ClaimReport:
    """Make an intent of every payment in core_transaction_data that is not blocked, not ended and not yet an intent.

    One that the former system may have posted under another date is held for a person instead. In a warehouse that was
    never built there is none.
    """
    by_lender: dict[str, tuple[int, Decimal]] = {}
    with conn.transaction():
        if not is_built(conn, "core.core_transaction_data"):
            return ClaimReport({})
        conn.execute("select pg_advisory_xact_lock(%s)", (CLAIM_LOCK,))
        near = {"kind": ExceptionKind.POSSIBLE_DUPLICATE, "days": NEAR_DAYS, "run": run.label}
        conn.execute(_HOLD_NEAR_FORMER, near)
        approved = approved_manual_payments(conn)
        for row in conn.execute(_CLAIM, {"run": run.label, "approved_manual": approved}):
            count, rupees = by_lender.get(row["lender"], (0, Decimal(0)))
            by_lender[row["lender"]] = (count + 1, rupees + row["amount"])
    return ClaimReport(by_lender)


def unposted(conn: WarehouseConnection, loan_id: str) -> list[Row]:
    """A loan's payments (posting_key, amount, business_date) that a hold alone may keep back, oldest first."""
    if not is_built(conn, "core.core_transaction_data"):
        return []
    values = {"loan": loan_id, "approved_manual": approved_manual_payments(conn)}
    return conn.execute(_UNPOSTED, values).fetchall()
