"""The steps of the DAGs in which people act on repayments: manual entries, the switch, open cases, reversals."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException

from turno_lms.domain.money import canonical_amount, rupees
from turno_lms.domain.states import ApprovalState, PostingOutcome, RepaymentKind, SwitchState
from turno_lms.orchestration.answers import read_answer
from turno_lms.orchestration.connections import fineract_client
from turno_lms.orchestration.runs import current_run, flag_param, text_param
from turno_lms.warehouse.connection import Role, connect

_logger = logging.getLogger(__name__)
CASE_ACTIONS = (
    "retry",
    "settle as posted",
    "settle as failed",
    "post again",
    "post as recovery",
    "excess settled",
)
HELD_ACTIONS = ("release", "link")
REVERSAL_ACTIONS = ("reverse", "keep the repayment")


@contextmanager
def _no_second_try() -> Iterator[None]:
    """What is refused by a rule fails the task at once with its reason: a retry could not help it."""
    from turno_lms.approvals.approvals import ApprovalError

    try:
        yield
    except (ValueError, ApprovalError) as refused:
        raise AirflowFailException(str(refused)) from None


def _required(name: str) -> str:
    value = text_param(name)
    if value is None:
        raise AirflowFailException(f"{name} is empty: fill it in")
    return value


# ---------------------------------------------------------------- manual repayments


def check_manual_entries() -> dict[str, Any]:
    """Validate the form against Fineract and the warehouse, record the request, and return what the approver sees.

    With `dry_run` nothing is recorded, and what speaks against the entries is shown with their effect.
    """
    from turno_lms.posting import manual
    from turno_lms.posting.manual_entries import read_form

    run, params, dry_run = current_run(), get_current_context()["params"], flag_param("dry_run")
    with _no_second_try(), connect(Role.POSTER) as conn, fineract_client(run) as client:
        entries = read_form(params)
        preview = manual.preview(
            conn, client, entries,
            duplicates_confirmed=flag_param("duplicates_confirmed"),
            excess_confirmed=flag_param("excess_confirmed"),
        )  # fmt: skip
        if preview.faults and not dry_run:
            raise manual.ManualRepaymentError(preview.faults)
        approval = None if dry_run else manual.ask(conn, entries, run)
    return {
        "dry_run": dry_run,
        "approval_id": approval and approval.approval_id,
        "needs_approval": manual.needs_approval(entries),
        "requested_by": run.actor,
        "faults": preview.faults,
        "rupees": canonical_amount(preview.total),
        "entries": len(entries),
        "preview": preview.markdown(),
    }


def record_answer(approval_id: int, answer: Any) -> bool:
    """Store who answered the question about an approval, and what; returns whether it may go on.

    Nobody's answer is none: the approval expires by itself.
    """
    from turno_lms.approvals import approvals

    given = read_answer(answer)
    if not given.person:
        _logger.info("nobody has answered: ask anew")
        return False
    with _no_second_try(), connect(Role.POSTER) as conn:
        state = approvals.decide(conn, approval_id, given.person, approved=given.approved).state
    _logger.info("%s by %s", state, given.person)
    return state is ApprovalState.APPROVED


def land_manual_entries(approval_id: int) -> dict[str, Any]:
    """Use the approval and land the entries of the form in RAW, in one transaction."""
    from turno_lms.posting import manual
    from turno_lms.posting.manual_entries import read_form

    with _no_second_try(), connect(Role.POSTER) as conn:
        landed = manual.land(conn, approval_id, read_form(get_current_context()["params"]), current_run())
    return {"approval_id": approval_id, "landed": landed}


# ---------------------------------------------------------------- switch, cases, reversals


def set_posting_switch() -> list[dict[str, Any]]:
    """Set the switch as the form says; returns every switch that is not open."""
    from turno_lms.posting.switch import closed_switches, set_switch

    state = SwitchState(_required("state"))
    with _no_second_try(), connect(Role.POSTER) as conn:
        set_switch(
            conn,
            _required("lender"),
            _required("channel"),
            state,
            reason=_required("reason"),
            actor=current_run().actor,
        )
        return [{**row, "set_at": f"{row['set_at']:%Y-%m-%d %H:%M} UTC"} for row in closed_switches(conn)]


def look_at_case() -> str:
    """What Fineract holds under the posting key of the form; for a key that is not queued, only that."""
    from turno_lms.posting import cases

    run = current_run()
    with connect(Role.POSTER) as conn, fineract_client(run) as client:
        try:
            found, shown = cases.look(conn, client, _required("posting_key"))
        except cases.CaseError as not_queued:
            return str(not_queued)
    return f"{found}: {shown}"


def decide_case() -> str:
    """Do what the form says about a repayment that waits for a person."""
    from turno_lms.posting import cases

    run, key, reason, action = (
        current_run(),
        _required("posting_key"),
        _required("reason"),
        _required("action"),
    )
    transaction = text_param("fineract_transaction_id")
    with _no_second_try(), connect(Role.POSTER) as conn:
        match action:
            case "retry":
                cases.retry(conn, key, reason, run.actor)
            case "settle as posted":
                number = int(transaction) if transaction else None
                cases.settle(conn, key, PostingOutcome.POSTED, reason, run, fineract_transaction_id=number)
            case "settle as failed":
                cases.settle(conn, key, PostingOutcome.FAILED, reason, run)
            case "post again":
                cases.repost(conn, key, RepaymentKind.REPAYMENT, reason, run)
            case "post as recovery":
                cases.repost(conn, key, RepaymentKind.RECOVERY, reason, run)
            case "excess settled":
                cases.resolve_overpayment(conn, key, reason, run.actor)
            case _:
                raise cases.CaseError(f"{action} is none of {', '.join(CASE_ACTIONS)}")
    return f"{key}: {action}"


def decide_held_payment() -> str:
    """Say of a held payment that it is other money (release), or the same money as another (link)."""
    from turno_lms.identity import decisions

    key, action, reason, actor = (
        _required("posting_key"),
        _required("action"),
        _required("reason"),
        current_run().actor,
    )
    with _no_second_try(), connect(Role.RECONCILER) as conn:
        if action == HELD_ACTIONS[0]:
            decisions.release(conn, key, reason, actor)
        else:
            decisions.link(conn, key, _required("same_money_as"), reason, actor)
    return f"{key}: {action}"


def ask_for_reversal() -> str | None:
    """Request the reversal of the form with its correction, or drop a prepared one; returns the correction's key."""
    from turno_lms.posting import reversals

    key, reason, actor = _required("posting_key"), _required("reason"), current_run().actor
    with _no_second_try(), connect(Role.POSTER) as conn:
        if _required("action") == REVERSAL_ACTIONS[1]:
            reversals.drop_reversal(conn, key, reason, actor)
            return None
        return reversals.request_reversal(conn, key, reason, actor, _correction())


def _correction() -> Any:
    from turno_lms.posting.reversals import Correction

    if not flag_param("post_a_correction"):
        return None
    day, amount = text_param("correct_date"), text_param("correct_amount")
    return Correction(
        text_param("correct_loan_id"),
        date.fromisoformat(day) if day else None,
        rupees(amount) if amount else None,
    )


def carry_out_reversals() -> dict[str, int]:
    """Undo in Fineract what is asked for; returns how many are done, refused, and left for the next run."""
    from turno_lms.posting.reversals import execute_reversals

    run = current_run()
    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        return execute_reversals(conn, client, run)
