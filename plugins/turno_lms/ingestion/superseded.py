"""What a person decides about rows that a corrected file no longer has: they stand, or they are withdrawn."""

from dataclasses import dataclass
from typing import Literal

from turno_lms.domain.states import ExceptionKind
from turno_lms.ingestion import version_queries
from turno_lms.warehouse.changes import IDENTITY_LOCK, record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

Decision = Literal["kept", "withdrawn"]


class SupersededError(ValueError):
    """A decision that may not be made; the message says why and what to do instead."""


def open_questions(
    conn: WarehouseConnection, file_id: int | None = None, rows: list[int] | None = None
) -> list[Row]:
    """The superseded rows that nobody has decided about, of one file version or of all."""
    values = {"exception_kind": ExceptionKind.SUPERSEDED_ROW, "file_id": file_id, "rows": rows}
    return conn.execute(version_queries.OPEN_QUESTIONS, values).fetchall()


@dataclass(frozen=True)
class Settlement:
    """A decision about the superseded rows of one file version; without `rows`, about all that are in question."""

    file_id: int
    decision: Decision
    reason: str
    rows: list[int] | None = None


def settle(conn: WarehouseConnection, settlement: Settlement, actor: str) -> int:
    """Decide about the rows in question, all or none; returns how many.

    Kept rows are posted like any other; withdrawn ones never are, until a later version of the file has them again.
    Raises SupersededError for rows that are posted or being posted: those are reversed in Fineract, and then kept.
    """
    if not settlement.reason.strip():
        raise SupersededError("say why: a decision about money needs a reason")
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (IDENTITY_LOCK,))
        found = open_questions(conn, settlement.file_id, settlement.rows)
        if not found:
            raise SupersededError(
                f"no row of file {settlement.file_id} is in question; see `turno files superseded`"
            )
        posted = [row for row in found if row["posting"] in ("posted", "queued")]
        if settlement.decision == "withdrawn" and posted:
            named = ", ".join(
                f"row {row['row_number']} ({row['posting_key']}, {row['amount']})" for row in posted
            )
            raise SupersededError(
                f"posted or being posted, and never un-posted from here: {named}. Have them reversed in Fineract, "
                "then settle them with `turno files keep` and say so in the reason"
            )
        values = {
            "exception_kind": ExceptionKind.SUPERSEDED_ROW,
            "subjects": [row["subject"] for row in found],
            "decision": settlement.decision,
            "reason": settlement.reason.strip(),
            "actor": actor,
        }
        conn.execute(version_queries.SETTLE_QUESTION, values)
        record_changes(conn, "reconciliation", [row["posting_key"] for row in found if row["posting_key"]])
    return len(found)
