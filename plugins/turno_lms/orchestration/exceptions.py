"""The steps of the DAG with which people work on exceptions, and of the daily look at how reconciliation stands."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

_logger = logging.getLogger(__name__)
ACTIONS = ("assign", "wait", "note", "resolve", "write off", "reopen", "match", "unmatch")
NEEDS_TWO = frozenset({"match", "unmatch"})


@contextmanager
def _no_second_try() -> Iterator[None]:
    """What is refused by a rule fails the task at once with its reason: a retry could not help it."""
    from turno_lms.approvals.approvals import ApprovalError

    try:
        yield
    except (ValueError, ApprovalError) as refused:
        raise AirflowFailException(str(refused)) from None


def act() -> dict[str, Any]:
    """Do what the form says; a match or its undoing is only asked for, and waits for another person."""
    from turno_lms.reconciliation import by_hand

    action, run = text_param("action"), current_run()
    with _no_second_try(), connect(Role.RECONCILER) as conn:
        if action not in NEEDS_TWO:
            return {"action": action, "exceptions": _handle(conn, action or "", run.actor)}
        reason, records = text_param("reason") or "", _lines("records")
        if action == "match":
            asked = by_hand.request_match(conn, records, reason, run)
        elif len(records) == 1:
            asked = by_hand.request_unmatch(conn, records[0], reason, run)
        else:
            raise AirflowFailException("name the one match that is to be taken apart: its match_group")
        return {
            "action": action, "approval_id": asked.approval_id, "requested_by": asked.requested_by,
            "preview": by_hand.preview(conn, asked.approval_id),
        }  # fmt: skip


def execute_match(approval_id: int) -> dict[str, Any]:
    """Read approval and records again, and match or unmatch them, in one transaction."""
    from turno_lms.reconciliation import by_hand

    with _no_second_try(), connect(Role.RECONCILER) as conn:
        return by_hand.execute(conn, approval_id, current_run())


def report() -> dict[str, Any]:
    """Write today's summary and fail once for each channel that was not as usual yesterday."""
    from turno_lms.reconciliation import reports

    with connect(Role.RECONCILER) as conn:
        run, day = current_run(), reports.today()
        unusual = reports.find_unusual(conn, reports.last_complete_day(), run)
        rows = reports.take_daily(conn, day, run)
        for row in reports.daily(conn, day):
            _logger.info("%(lender)s %(measure)s %(status)s, %(age)s days: %(items)s, %(rupees)s rupees", row)
    if unusual:
        raise AirflowFailException("\n".join(one.told for one in unusual))
    return {"day": day.isoformat(), "rows": rows}


def _handle(conn: WarehouseConnection, action: str, actor: str) -> int:
    from turno_lms.reconciliation import exceptions

    ids, reason = _chosen(conn), text_param("reason") or ""
    if action == "assign":
        return exceptions.assign(conn, ids, text_param("owner") or "", actor, reason or None)
    if action == "wait":
        until = text_param("until")
        if until is None:
            raise AirflowFailException("say until which day")
        return exceptions.wait(conn, ids, date.fromisoformat(until), reason, actor)
    simple = {
        "note": exceptions.add_note,
        "resolve": exceptions.resolve,
        "write off": exceptions.write_off,
        "reopen": exceptions.reopen,
    }
    if action not in simple:
        raise AirflowFailException(f"there is no action {action!r}; there are {', '.join(ACTIONS)}")
    return simple[action](conn, ids, reason, actor)


def _chosen(conn: WarehouseConnection) -> list[int]:
    """The exceptions that the form numbers, or all open ones of its lender and kind below its rupees."""
    from turno_lms.reconciliation.exceptions import Filter, find

    numbers = _lines("exception_ids")
    if numbers:
        if not all(text.isdecimal() for text in numbers):
            raise AirflowFailException("give the exceptions as numbers, one a line")
        return [int(text) for text in numbers]
    lender, kind, most = text_param("lender"), text_param("kind"), text_param("most_rupees")
    if not (lender and kind):
        raise AirflowFailException("say which exceptions: their numbers, or lender and kind")
    found = find(conn, Filter(lender=lender, kind=kind))
    return [row["exception_id"] for row in found if _within(row["amount"], most)]


def _within(amount: Decimal | None, most: str | None) -> bool:
    if most is None:
        return True
    try:
        return (amount or Decimal(0)) <= Decimal(most)
    except InvalidOperation:
        raise AirflowFailException(f"{most!r} is not an amount in rupees") from None


def _lines(name: str) -> list[str]:
    """The entries of a list field, as the form gives them: texts or numbers, blanks left out."""
    values = get_current_context()["params"].get(name) or []
    if not isinstance(values, list):
        raise AirflowFailException(f"parameter {name} must be a list, not {values!r}")
    return [text for value in values if (text := str(value).strip())]
