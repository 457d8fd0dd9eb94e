"""Taking over from the former system: what it posted is taken into the ledger as historic and never posted again, and
what both systems make of the same days is compared, payment by payment, before this one may post.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

from turno_lms.domain.states import ExceptionKind, PostingOutcome
from turno_lms.posting.claim import CLAIM_LOCK, NEAR_DAYS
from turno_lms.posting.former_postings import FormerPosting, FormerPostingsError
from turno_lms.posting.systems_compared import Compared, pair_near
from turno_lms.warehouse.connection import WarehouseConnection

_HERE = Path(__file__).parent
_TAKE_IN = (_HERE / "take_in_former.sql").read_text(encoding="utf-8")
_COMPARE = (_HERE / "compare_former.sql").read_text(encoding="utf-8")
_SAME = (_HERE / "same_as_former.sql").read_text(encoding="utf-8")
_STAGE = """
create temporary table former_posting (
    posting_key text, lender text, loan_id text, business_date date, amount numeric(18, 2), former_key text,
    fineract_transaction_id bigint, line_number integer
) on commit drop
"""
_COPY = """
copy former_posting (
    posting_key, lender, loan_id, business_date, amount, former_key, fineract_transaction_id, line_number
) from stdin
"""
_UNKNOWN_LENDERS = """
select distinct staged.lender
from former_posting as staged
left join core.core_lender as lender on staged.lender = lender.lender
where lender.lender is null
order by 1
"""
_QUEUED = """
select count(*) as queued
from former_posting as staged
inner join core.core_fineract_pending_transactions as pending on staged.posting_key = pending.posting_key
"""


class CutOverError(ValueError):
    """What was asked for does not fit; the message says what does. Nothing was changed."""


@dataclass(frozen=True)
class TakenIn:
    """An import: payments taken in now, payments that were there already, and keys that this system posted, too."""

    new: int
    rupees: Decimal
    known: int
    posted_by_both: tuple[str, ...]


def take_in(
    conn: WarehouseConnection, postings: Sequence[FormerPosting], source_file: str, sha256: str, actor: str
) -> TakenIn:
    """Land what the former system posted, and enter it in the ledger as historic, all or nothing; again, it is a no-op.

    No claim runs meanwhile. Raises FormerPostingsError for lenders without a mapping, and while one of the payments is
    in the queue: posting has to be stopped and drained first.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (CLAIM_LOCK,))
        _stage(conn, postings)
        _refuse_what_does_not_fit(conn)
        values = {"file": source_file, "sha256": sha256, "actor": actor, "historic": PostingOutcome.HISTORIC}
        row = conn.execute(_TAKE_IN, values).fetchone() or {}
    return TakenIn(row["new"], row["rupees"], row["known"], tuple(row["posted_by_both"]))


def _stage(conn: WarehouseConnection, postings: Sequence[FormerPosting]) -> None:
    conn.execute(_STAGE)
    with conn.cursor().copy(_COPY) as copy:
        for one in postings:
            copy.write_row(
                (
                    one.posting_key, one.lender, one.loan_id, one.business_date, one.amount, one.former_key,
                    one.fineract_transaction_id, one.line,
                )
            )  # fmt: skip


def _refuse_what_does_not_fit(conn: WarehouseConnection) -> None:
    unknown = [row["lender"] for row in conn.execute(_UNKNOWN_LENDERS)]
    if unknown:
        raise FormerPostingsError([f"no mapping for the lender {lender}" for lender in unknown])
    queued = (conn.execute(_QUEUED).fetchone() or {"queued": 0})["queued"]
    if queued:
        raise FormerPostingsError(
            [
                f"{queued} of these payments are in the posting queue: stop posting (turno posting switch), let"
                " post_repayments read back what was sent, and import again"
            ]
        )


def compare(conn: WarehouseConnection, first: date, last: date) -> list[Compared]:
    """Every payment of these business days that one of the systems posts or both. Changes nothing."""
    rows = conn.execute(_COMPARE, {"first": first, "last": last, "days": NEAR_DAYS}).fetchall()
    paired = pair_near((Compared(**row) for row in rows), NEAR_DAYS)
    return [payment for payment in paired if payment.is_told and first <= payment.day <= last]


def same_money(conn: WarehouseConnection, posting_key: str, reason: str, actor: str) -> str:
    """A person says that a held payment is what the former system posted: it is historic and never posted.

    Returns the former posting's key. Raises CutOverError where no such question is open.
    """
    if not reason.strip():
        raise CutOverError("the reason is empty: say how you know")
    values = {
        "key": posting_key, "reason": reason.strip(), "actor": actor,
        "kind": ExceptionKind.POSSIBLE_DUPLICATE, "historic": PostingOutcome.HISTORIC,
    }  # fmt: skip
    with conn.transaction():
        row = conn.execute(_SAME, values).fetchone()
    if row is None:
        raise CutOverError(
            f"{posting_key} is not held as money that the former system may have posted:"
            f" `turno payments show {posting_key}` says what it is"
        )
    return str(row["former_key"])
