"""Matches that people make and take apart. Each needs a second person, and each can be undone.

The first person asks (`request_match`, `request_unmatch`): what is to be matched is written down as the figures of an
approval. The second one approves, and `execute` reads approval and records again in the transaction in which it acts;
if anything about them has changed meanwhile, nothing is done.
"""

from collections.abc import Sequence
from typing import Any

from turno_lms.approvals import approvals
from turno_lms.approvals.approvals import Approval
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.reconciliation.matches import LOCK, insert_group
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.changes import IDENTITY_LOCK
from turno_lms.warehouse.connection import Row, WarehouseConnection

PURPOSE = "recon_match"
MANUAL = "manual"
"""The rule that a match made by people names."""
_FIGURES = "select figures, requested_by from core.core_approval where approval_id = %s and purpose = %s"


class MatchError(ValueError):
    """A match that may not be made or taken apart; the message says why. Nothing was done."""


def request_match(
    conn: WarehouseConnection, references: Sequence[str], reason: str, run: RunContext
) -> Approval:
    """Ask a second person to match sightings (native references). Raises MatchError if that could not be done now."""
    with conn.transaction():
        figures = {"action": "match", "reason": _reason(reason), "members": _to_match(conn, references)}
        return approvals.request(conn, PURPOSE, run.label, figures, run, needed=True)


def request_unmatch(conn: WarehouseConnection, group: str, reason: str, run: RunContext) -> Approval:
    """Ask a second person to take a match apart, whichever rule made it."""
    with conn.transaction():
        figures = {
            "action": "unmatch", "reason": _reason(reason), "match_group": group, "members": _to_undo(conn, group),
        }  # fmt: skip
        return approvals.request(conn, PURPOSE, run.label, figures, run, needed=True)


def execute(conn: WarehouseConnection, approval_id: int, run: RunContext) -> dict[str, Any]:
    """Do what was approved, in one transaction; a second time it does nothing.

    Raises ApprovalError unless a second person approved exactly this in time, MatchError where it cannot be done any
    more.
    """
    with conn.transaction():
        for lock in (IDENTITY_LOCK, LOCK):
            conn.execute("select pg_advisory_xact_lock(%s)", (lock,))
        asked = _asked(conn, approval_id)
        wanted = asked["figures"]
        if _is_used(conn, approval_id):
            return {"action": wanted["action"], "members": 0}
        now = {**wanted, "members": _members_now(conn, wanted)}
        approvals.use(conn, approval_id, now, run, needed=True)
        if wanted["action"] == "match":
            done = insert_group(conn, _described(conn, _references(wanted)), MANUAL, wanted["reason"], run)
            if not done:
                raise MatchError(
                    "the channel that posts has reported both sides: both would be posted. "
                    "Link one payment to the other instead"
                )
        else:
            values = {
                "group": wanted["match_group"],
                "actor": asked["requested_by"],
                "reason": wanted["reason"],
            }
            done = int((conn.execute(STATEMENTS["undo_match"], values).fetchone() or {})["touched"])
        return {"action": wanted["action"], "members": done}


def preview(conn: WarehouseConnection, approval_id: int) -> str:
    """What the second person is shown, as a Markdown table."""
    figures = _asked(conn, approval_id)["figures"]
    lines = [
        f"{figures['action'].capitalize()}, because: {_cell(figures['reason'])}",
        "",
        "| side | record | loan | date | rupees |",
        "| --- | --- | --- | --- | ---: |",
    ]
    for member in figures["members"]:
        cells = (member["side"], member["native_reference"], f"{member['lender']} {member['loan_id']}",
                 member["business_date"], member["amount"])  # fmt: skip
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _reason(reason: str) -> str:
    if not reason.strip():
        raise MatchError("say why: the second person decides by it, and it stays with the match")
    return reason.strip()


def _asked(conn: WarehouseConnection, approval_id: int) -> Row:
    row = conn.execute(_FIGURES, (approval_id, PURPOSE)).fetchone()
    if row is None:
        raise MatchError(f"there is no request {approval_id} about a match")
    return row


def _is_used(conn: WarehouseConnection, approval_id: int) -> bool:
    query = "select 1 from core.core_approval where approval_id = %s and state = 'used' for update"
    return conn.execute(query, (approval_id,)).fetchone() is not None


def _references(figures: dict[str, Any]) -> list[str]:
    return [member["native_reference"] for member in figures["members"]]


def _members_now(conn: WarehouseConnection, figures: dict[str, Any]) -> list[dict[str, str]]:
    if figures["action"] == "match":
        return _to_match(conn, _references(figures))
    return _to_undo(conn, figures["match_group"])


def _described(conn: WarehouseConnection, references: Sequence[str]) -> list[Row]:
    wanted = sorted(set(references))
    rows = conn.execute(STATEMENTS["describe_sightings"], {"references": wanted}).fetchall()
    if missing := sorted(set(wanted) - {row["native_reference"] for row in rows}):
        raise MatchError(f"{missing[0]} is no native reference; `turno payments show` lists a payment's")
    return rows


def _to_match(conn: WarehouseConnection, references: Sequence[str]) -> list[dict[str, str]]:
    rows = _described(conn, references)
    if {row["side"] for row in rows} != {"file", "gateway"}:
        raise MatchError("a match has records of both sides: of a file and of a gateway")
    if len({row["lender"] for row in rows}) > 1:
        raise MatchError("the records belong to different lenders")
    for row in rows:
        if row["match_group"]:
            raise MatchError(
                f"{row['native_reference']} is matched already ({row['match_group']}): unmatch it first"
            )
    _refuse_second_posting(rows)
    return [_figures(row) for row in rows]


def _refuse_second_posting(rows: Sequence[Row]) -> None:
    """The match posts through one side; a payment of the other side that is posted already would be the same money."""
    posting_side = next((row["side"] for row in rows if row["is_posting_channel"]), None)
    canonical = {row["posting_key"] for row in rows if row["side"] == posting_side}
    for row in rows:
        if row["is_in_posting"] and row["posting_key"] not in canonical:
            raise MatchError(
                f"{row['posting_key']} is posted or being posted, and so would the other side be: reverse it first"
            )


def _to_undo(conn: WarehouseConnection, group: str) -> list[dict[str, str]]:
    rows = conn.execute(STATEMENTS["describe_match"], {"group": group}).fetchall()
    if not rows:
        raise MatchError(f"there is no match {group}; `turno exceptions matches` lists a loan's")
    for row in rows:
        if row["is_canonical"] and row["was_released"] and row["is_in_posting"]:
            raise MatchError(
                f"{row['posting_key']} was posted because of this match: reverse it first (reverse_repayment)"
            )
    return [_figures(row) for row in rows]


def _figures(row: Row) -> dict[str, str]:
    return {
        "side": row["side"],
        "native_reference": row["native_reference"],
        "posting_key": row["posting_key"],
        "lender": row["lender"],
        "loan_id": row["loan_id"],
        "business_date": row["business_date"].isoformat(),
        "amount": canonical_amount(row["amount"]),
    }
