"""The three tables of resolutions, and what they share: a state that moves along the table of transitions, decisions by
another person, questions that ask one.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import ApprovalError
from turno_lms.domain.resolutions import Band
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, ExceptionKind, ResolutionState, advance
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.quotes import ResolutionError
from turno_lms.warehouse.connection import Row, WarehouseConnection

_APPROVAL = "select *, expires_at < now() as is_expired from core.core_approval where approval_id = %s"
_ASK_A_PERSON = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, detail, opened_by_run)
values (%s, %s, %s, %s, %s, %s)
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
"""
_ANSWERED = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %s, close_reason = %s
where kind = %s and subject = %s and state = 'open'
"""
_ENDINGS = frozenset(
    {
        ResolutionState.REJECTED, ResolutionState.EXPIRED, ResolutionState.LAPSED, ResolutionState.STOPPED,
        ResolutionState.COMPENSATED, ResolutionState.DONE, ResolutionState.UNDONE,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Book:
    """One of the tables, by the name of its key, and the purpose of its approvals.

    `owed` is the column with the rupees that were outstanding before its first step, where one says so.
    """

    table: str
    key: str
    purpose: str
    owed: str | None

    def ref(self, row: Row) -> str:
        """A row's reference."""
        return str(row[self.key])


SETTLEMENTS = Book("core_settlement", "settlement_ref", "settlement", "executed_dues")
WRITE_OFFS = Book("core_write_off", "write_off_ref", "write_off", "dues_total")
FORECLOSURES = Book("core_foreclosure", "foreclosure_ref", "foreclosure", None)
_BY_PREFIX = {"stl": SETTLEMENTS, "wof": WRITE_OFFS, "fcl": FORECLOSURES}


def book_of(ref: str) -> Book:
    """The table of a reference. Raises ResolutionError for a text that is none."""
    book = _BY_PREFIX.get(ref.partition("-")[0])
    if book is None:
        raise ResolutionError(f"{ref!r} is no reference: they begin with {', '.join(_BY_PREFIX)}")
    return book


def read(conn: WarehouseConnection, book: Book, ref: str, *, lock: bool = False) -> Row:
    """The row of a reference, locked when it is about to be moved. Raises ResolutionError if there is none."""
    query = sql.SQL("select * from core.{table} where {key} = %s {lock}").format(
        table=sql.Identifier(book.table),
        key=sql.Identifier(book.key),
        lock=sql.SQL("for update" if lock else ""),
    )
    row = conn.execute(query, (ref,)).fetchone()
    if row is None:
        raise ResolutionError(f"there is no {book.purpose.replace('_', '-')} {ref}")
    return row


def insert(conn: WarehouseConnection, book: Book, values: dict[str, Any]) -> None:
    """Add a row."""
    query = sql.SQL("insert into core.{table} ({columns}) values ({values})").format(
        table=sql.Identifier(book.table),
        columns=sql.SQL(", ").join(map(sql.Identifier, values)),
        values=sql.SQL(", ").join(map(sql.Placeholder, values)),
    )
    conn.execute(query, values)


def move(
    conn: WarehouseConnection, book: Book, row: Row, new: ResolutionState, run: RunContext, /, **columns: Any
) -> Row:
    """Move a row that the caller has locked to its next state, with other columns, and note it in the journal."""
    state = advance(ResolutionState(row["state"]), new)
    ended = {"ended_at": datetime.now(UTC)} if state in _ENDINGS else {}
    moved = change(conn, book, row, {"state": state, "last_error": None, **ended, **columns})
    note(conn, book.ref(row), row["loan_id"], f"{book.purpose} {state}", run, **columns)
    return moved


def change(conn: WarehouseConnection, book: Book, row: Row, columns: dict[str, Any]) -> Row:
    """Write columns of a row, its state left alone unless `move` says so."""
    query = sql.SQL("update core.{table} set {changes} where {key} = {ref} returning *").format(
        table=sql.Identifier(book.table),
        key=sql.Identifier(book.key),
        ref=sql.Placeholder("the_ref"),
        changes=sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
        ),
    )
    changed = conn.execute(query, {**columns, "the_ref": book.ref(row)}).fetchone()
    if changed is None:
        raise ResolutionError(f"{book.ref(row)} is gone")
    return changed


# ---------------------------------------------------------------- decisions


def ask(conn: WarehouseConnection, book: Book, row: Row, figures: Any, run: RunContext) -> Row:
    """Ask another person to approve these figures; the approval's number is kept with the row."""
    approval = approvals.request(conn, book.purpose, book.ref(row), figures, run, needed=True)
    return change(conn, book, row, {"approval_id": approval.approval_id})


def check_person(band: Band, person: str) -> None:
    """Raise ResolutionError unless this person may approve under the band."""
    if not band.allows(person):
        raise ResolutionError(
            f"{person} may not approve in band {band.name}: {', '.join(band.approvers)} may. Ask one of them to answer"
        )


def decide(
    conn: WarehouseConnection, book: Book, row: Row, band: Band, decider: RunContext, *, approved: bool
) -> ApprovalState:
    """Record what a person (`decider.actor`) answered about a row that the caller has locked.

    A rejection ends it; an approval is used by whoever acts on it. Raises ApprovalError or ResolutionError where the
    person may not answer, or it is too late.
    """
    ref = book.ref(row)
    if row["state"] != ResolutionState.REQUESTED:
        raise ResolutionError(f"{ref} is {row['state']}: there is nothing to decide")
    if approved:
        check_person(band, decider.actor)
    decision = approvals.decide(conn, row["approval_id"], decider.actor, approved=approved)
    if approved:
        note(conn, ref, row["loan_id"], f"{book.purpose} approved", decider, band=band.name)
    else:
        move(conn, book, row, ResolutionState.REJECTED, decider)
    return decision.state


def use_approval(
    conn: WarehouseConnection, approval_id: int, figures: Any, run: RunContext, band: Band
) -> None:
    """Use an approval for these figures, in the caller's transaction. Raises ApprovalError unless it holds."""
    if not approvals.use(conn, approval_id, figures, run, needed=True):
        raise ApprovalError(f"approval {approval_id} was used before")
    decided = conn.execute(_APPROVAL, (approval_id,)).fetchone() or {}
    check_person(band, decided["decided_by"])


def check_used_approval(conn: WarehouseConnection, approval_id: int, figures: Any) -> None:
    """Raise ApprovalError unless a used approval still speaks of these figures and another person gave it."""
    approval = conn.execute(_APPROVAL, (approval_id,)).fetchone()
    if approval is None or not approvals.stands(approval, figures, needed=True):
        raise ApprovalError(f"approval {approval_id} does not cover these figures: nothing was sent")


def expire(conn: WarehouseConnection, book: Book, ref: str, run: RunContext) -> bool:
    """End a request that nobody decided in time; tells whether it did."""
    with conn.transaction():
        row = read(conn, book, ref, lock=True)
        approval = conn.execute(_APPROVAL, (row["approval_id"],)).fetchone()
        open_still = row["state"] == ResolutionState.REQUESTED
        if not open_still or (approval is not None and not approval["is_expired"]):
            return False
        until = f" by {approval['expires_at']:%Y-%m-%d %H:%M} UTC" if approval else ""
        move(conn, book, row, ResolutionState.EXPIRED, run, last_error=f"nobody answered{until}")
        return True


# ---------------------------------------------------------------- questions


def ask_a_person(conn: WarehouseConnection, book: Book, row: Row, reason: str, run: RunContext) -> None:
    """Open the question that a resolution cannot go on by itself."""
    kind = ExceptionKind.RESOLUTION_STUCK
    values = (kind, book.ref(row), row["lender"], row["loan_id"], Jsonb({"reason": reason}), run.label)
    conn.execute(_ASK_A_PERSON, values)


def answered(conn: WarehouseConnection, ref: str, run: RunContext, how: str) -> None:
    """Close that question."""
    conn.execute(_ANSWERED, (run.actor, how, ExceptionKind.RESOLUTION_STUCK, ref))
