"""The steps of the DAGs that settle, write off and foreclose loans: forms, decisions, and the runs that carry them on.

Here the areas meet: a resolution asks the posting ledger for its money through `desk`.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.domain.dates import ist_date
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ApprovalState, ResolutionState
from turno_lms.orchestration.answers import read_answer
from turno_lms.orchestration.connections import fineract_client
from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

log = logging.getLogger(__name__)

WAIVABLE = ("penalties", "fees", "interest")
STUCK_ACTIONS = ("go on", "take back", "give up")
THREADS = 1
_PATIENCE_SECONDS = 60.0


def today() -> date:
    """The business day: today in India. Nothing is ever dated before it."""
    return ist_date(datetime.now(UTC))


@contextmanager
def _walk(run: RunContext) -> Iterator[Walk]:
    from turno_lms.orchestration.desk import LedgerDesk
    from turno_lms.posting.worker import post_chunk

    def post_loan(loan_id: str) -> object:
        return post_chunk([loan_id], run, threads=THREADS, wait_limit=_PATIENCE_SECONDS)

    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        yield Walk(conn, client, run, LedgerDesk(conn, client, run, post_loan))


@contextmanager
def _no_second_try() -> Iterator[None]:
    """What is refused by a rule fails the task at once with its reason: a retry could not help it."""
    from turno_lms.approvals.approvals import ApprovalError

    try:
        yield
    except (ValueError, ApprovalError) as refused:
        raise AirflowFailException(str(refused)) from None


def _params() -> dict[str, Any]:
    return dict(get_current_context()["params"])


def _shown(row: Row, key: str, **more: Any) -> dict[str, Any]:
    return {
        "ref": row[key], "loan_id": row["loan_id"], "state": row["state"], "reason": row["last_error"], **more,
    }  # fmt: skip


# ---------------------------------------------------------------- the approval task's answer


def _record(answer: Any, decide: Callable[[WarehouseConnection, RunContext, bool], ApprovalState]) -> str:
    """Store who answered the task `approve`, and what. Nobody's answer is none: the request expires by itself."""
    given = read_answer(answer)
    if not given.person:
        raise AirflowSkipException("nobody has answered: it expires, or is asked for anew")
    with _no_second_try(), connect(Role.POSTER) as conn:
        state = decide(conn, replace(current_run(), actor=given.person), given.approved)
    if state is not ApprovalState.APPROVED:
        raise AirflowSkipException(f"{given.person} said no: it ends here")
    return state


# ---------------------------------------------------------------- settlements


def quote_settlement() -> dict[str, Any]:
    """Quote the loan of the form, check it against the policy, record the request; returns what the approver sees."""
    from turno_lms.resolutions import settlements
    from turno_lms.resolutions.forms import read_settlement

    run = current_run()
    with _no_second_try(), connect(Role.POSTER) as conn, fineract_client(run) as client:
        row = settlements.request(conn, client, read_settlement(_params()), run, today())
        return _shown(
            row, "settlement_ref", rupees=canonical_amount(row["amount"]), band=row["band"],
            requested_by=row["requested_by"], preview=settlements.preview(conn, row),
        )  # fmt: skip


def decide_settlement(asked: dict[str, Any], answer: Any) -> str:
    """Store who answered the approval task of a settlement."""
    from turno_lms.resolutions import settlements

    ref = asked["ref"]
    return _record(
        answer, lambda conn, decider, approved: settlements.decide(conn, ref, decider, approved=approved)
    )


def accept_settlement(ref: str) -> dict[str, Any]:
    """Use the approval, hold the loan's money, and go as far as it goes at once."""
    from turno_lms.resolutions import settlements

    run = current_run()
    with _no_second_try(), connect(Role.POSTER) as conn:
        settlements.accept(conn, ref, run)
    with _walk(run) as walk:
        row = settlements.advance(walk, ref, today())
    return _shown(row, "settlement_ref")


# ---------------------------------------------------------------- write-offs


def check_write_offs() -> dict[str, Any]:
    """Quote the loans of the form, check their eligibility, record the request, and return what the approver sees."""
    from turno_lms.resolutions import write_offs
    from turno_lms.resolutions.forms import read_write_offs

    run = current_run()
    with _no_second_try(), connect(Role.POSTER) as conn, fineract_client(run) as client:
        asked = write_offs.request(
            conn, client, read_write_offs(_params()), run, today(), override_reason=text_param("override_reason")
        )  # fmt: skip
    first = asked.rows[0]
    return {
        "request_key": first["request_key"], "loans": len(asked.rows), "rupees": canonical_amount(asked.rupees),
        "band": first["band"], "requested_by": first["requested_by"], "preview": write_offs.preview(asked),
    }  # fmt: skip


def decide_write_offs(asked: dict[str, Any], answer: Any) -> str:
    """Store who answered the approval task of a request of write-offs."""
    from turno_lms.resolutions import write_offs

    key = asked["request_key"]
    return _record(
        answer, lambda conn, decider, approved: write_offs.decide(conn, key, decider, approved=approved)
    )


def write_off(request_key: str) -> list[dict[str, Any]]:
    """Use the approval and write the loans off; one that cannot end now goes on by `advance_resolutions`."""
    from turno_lms.resolutions import write_offs

    run = current_run()
    with _no_second_try(), connect(Role.POSTER) as conn:
        refs = write_offs.accept(conn, request_key, run)
    with _walk(run) as walk:
        rows = [write_offs.advance(walk, ref, today()) for ref in refs]
    shown = [_shown(row, "write_off_ref") for row in rows]
    _fail_for([each for each in shown if each["state"] != ResolutionState.DONE])
    return shown


# ---------------------------------------------------------------- taking back what is done


def ask_to_undo() -> dict[str, Any]:
    """Record the wish to take the form's settlement or write-off back, and return what the approver sees."""
    from turno_lms.resolutions import undoing

    run, ref = current_run(), text_param("ref") or ""
    with _no_second_try(), connect(Role.POSTER) as conn, fineract_client(run) as client:
        row = undoing.request(conn, client, ref, text_param("reason") or "", run)
        shown = undoing.preview(conn, row, ref, run.actor)
    return {
        "ref": ref, "kind": undoing.kind_of(ref), "loan_id": row["loan_id"], "approval_id": row["undo_approval_id"],
        "requested_by": run.actor, "preview": shown,
    }  # fmt: skip


def decide_undo(asked: dict[str, Any], answer: Any) -> str:
    """Store who answered the approval task of an undoing."""
    from turno_lms.resolutions import undoing

    ref, approval_id = asked["ref"], asked["approval_id"]
    return _record(
        answer,
        lambda conn, decider, approved: undoing.decide(conn, ref, approval_id, decider, approved=approved),
    )


def undo(asked: dict[str, Any]) -> dict[str, Any]:
    """Use the approval and take it back, as far as it goes at once."""
    from turno_lms.resolutions import undoing

    with _no_second_try(), _walk(current_run()) as walk:
        row = undoing.undo(walk, asked["ref"])
    return {
        "ref": asked["ref"],
        "loan_id": row["loan_id"],
        "state": row["state"],
        "reason": row["last_error"],
    }


# ---------------------------------------------------------------- foreclosures


def quote_foreclosure() -> dict[str, Any]:
    """Ask Fineract what pays the loan of the form off today, and keep the quote for the day."""
    from turno_lms.resolutions import foreclosures

    run = current_run()
    with _no_second_try(), connect(Role.POSTER) as conn, fineract_client(run) as client:
        row = foreclosures.request(
            conn, client, text_param("lender") or "", text_param("loan_id") or "", text_param("reason") or "", run,
            today(), override_reason=text_param("override_reason"),
        )  # fmt: skip
    return _shown(row, "foreclosure_ref", rupees=canonical_amount(row["quoted_total"]))


def foreclose(ref: str) -> dict[str, Any]:
    """Foreclose if the money is there; otherwise `advance_resolutions` does when it comes, on this day alone."""
    from turno_lms.resolutions import foreclosures

    with _walk(current_run()) as walk:
        row = foreclosures.advance(walk, ref, today())
        if row["state"] != ResolutionState.DONE:
            return _shown(row, "foreclosure_ref")
        paper = foreclosures.certificate(walk.conn, ref)
    return {name: value if isinstance(value, int) else str(value) for name, value in paper.items()}


# ---------------------------------------------------------------- what goes on by itself, and what does not


def advance_all() -> dict[str, int]:
    """Take every open resolution as far as it goes; returns how many are in which state afterwards.

    One that fails holds up no other; the task fails at the end and names it.
    """
    from turno_lms.resolutions import foreclosures, settlements, write_offs

    counts: dict[str, int] = {}
    failed: list[dict[str, Any]] = []
    with _walk(current_run()) as walk:
        rooms = (
            (settlements.open_settlements, settlements.advance),
            (write_offs.open_write_offs, write_offs.advance),
            (foreclosures.open_foreclosures, foreclosures.advance),
        )
        for list_open, advance in rooms:
            for ref in list_open(walk.conn):
                state = _advance(walk, ref, advance, failed)
                counts[state] = counts.get(state, 0) + 1
    _fail_for(failed)
    return counts


def _advance(
    walk: Walk, ref: str, advance: Callable[[Walk, str, date], Row], failed: list[dict[str, Any]]
) -> str:
    from turno_lms.fineract.errors import FineractConfigurationError

    try:
        row = advance(walk, ref, today())
    except FineractConfigurationError:
        raise  # every other one would fail alike
    except Exception as error:
        log.exception("%s cannot go on", ref)
        failed.append({"ref": ref, "state": "failed", "reason": str(error)})
        return "failed"
    if row["state"] == ResolutionState.STUCK:
        failed.append({"ref": ref, "state": row["state"], "reason": row["last_error"]})
    return str(row["state"])


def decide_stuck() -> str:
    """What the form says about a resolution: go on with it, take back what was done, or give up what has not begun."""
    from turno_lms.resolutions import execution
    from turno_lms.resolutions.books import book_of

    run, ref, action = current_run(), text_param("ref") or "", text_param("action") or ""
    reason = text_param("reason") or ""
    with _no_second_try(), connect(Role.POSTER) as conn:
        book = book_of(ref)
        if action == STUCK_ACTIONS[2]:
            return str(execution.stop(conn, book, ref, reason, run)["state"])
        row = execution.decide_stuck(conn, book, ref, reason, run, go_on=action == STUCK_ACTIONS[0])
        return str(row["state"])


def _fail_for(unfinished: list[dict[str, Any]]) -> None:
    if unfinished:
        shown = "; ".join(f"{each['ref']} is {each['state']}: {each['reason']}" for each in unfinished[:10])
        raise AirflowFailException(f"{len(unfinished)} are not done: {shown}")
