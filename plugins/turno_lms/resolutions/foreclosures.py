"""Foreclosures: a loan paid off early with Fineract's figure of the day, and what its no-objection certificate says.

One payment of exactly that figure pays for it; money that came before is posted first and lowers it. In Fineract
the foreclosure is a repayment under the payment's posting key, so that the ledger finds it and records it as posted.
Nothing is forgiven, so nobody approves; a quote holds on its day alone.
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ResolutionState, StepKind
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.repayments import locale_amount
from turno_lms.resolutions import books, execution
from turno_lms.resolutions.books import FORECLOSURES as BOOK
from turno_lms.resolutions.execution import EndState
from turno_lms.resolutions.journal import note
from turno_lms.resolutions.quotes import (
    CLOSED,
    ResolutionError,
    check_guards,
    money_on_its_way,
    quote_loan,
    take_turn,
)
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.resolutions.steps import Incoming, PlannedStep, Walk, add_steps, new_reference
from turno_lms.warehouse.connection import Row, WarehouseConnection

_COMMAND = "foreclosure"
_OF_RUN = "select foreclosure_ref from core.core_foreclosure where requested_by_run = %s"
_OPEN = """
select foreclosure_ref from core.core_foreclosure
where state in ('requested', 'accepted', 'executing', 'compensating')
order by requested_at
"""
_PORTIONS = {
    "quoted_principal": "principalPortion", "quoted_interest": "interestPortion",
    "quoted_fees": "feeChargesPortion", "quoted_penalties": "penaltyChargesPortion",
}  # fmt: skip


def request(  # noqa: PLR0917  # what the form says
    conn: WarehouseConnection,
    client: FineractClient,
    lender: str,
    loan_id: str,
    reason: str,
    run: RunContext,
    today: date,
    *,
    override_reason: str | None = None,
) -> Row:
    """Ask Fineract what would pay the loan off today, and keep the quote; from here on the loan's money is held.

    A run asks once: called again, it returns what it asked for. Raises ResolutionError.
    """
    loan_id = canonical_loan_id(loan_id)
    with conn.transaction():
        take_turn(conn, loan_id)
        asked = conn.execute(_OF_RUN, (run.label,)).fetchone()
        if asked:
            return books.read(conn, BOOK, asked["foreclosure_ref"])
        check_guards(conn, loan_id, override_reason=override_reason)
        quote = quote_loan(conn, client, lender, loan_id, today)
        if quote.payoff_by != _COMMAND:
            raise ResolutionError(
                f"loan {loan_id} cannot be foreclosed in Fineract (its product recalculates interest, or it quotes "
                "nothing): collect the prepayment figure as an ordinary repayment"
            )
        figures = _figures(client.pay_off_quote(quote.external_id, _COMMAND, today))
        ref = new_reference("fcl")
        values = {
            "foreclosure_ref": ref, "lender": quote.lender, "loan_id": loan_id, "state": ResolutionState.REQUESTED,
            "quoted_on": today, **figures, "reason": reason, "override_reason": override_reason,
            "requested_by": run.actor, "requested_by_run": run.label,
        }  # fmt: skip
        books.insert(conn, BOOK, values)
        note(
            conn, ref, loan_id, "foreclosure quoted", run, reason=reason, override_reason=override_reason,
            quoted_on=today, **{name: canonical_amount(amount) for name, amount in figures.items()},
        )  # fmt: skip
        row = books.read(conn, BOOK, ref, lock=True)
        return books.move(conn, BOOK, row, ResolutionState.ACCEPTED, run, accepted_at=datetime.now(UTC))


def _figures(template: dict[str, Any]) -> dict[str, Decimal]:
    figures = {
        column: locale_amount(template.get(name) or 0) or Decimal(0) for column, name in _PORTIONS.items()
    }
    total = locale_amount(template.get("amount"))
    if total != sum(figures.values()):
        raise ResolutionError(
            f"Fineract quotes {total} rupees, its portions add up to {sum(figures.values())}"
        )
    return {**figures, "quoted_total": total}


def open_foreclosures(conn: WarehouseConnection) -> list[str]:
    """References of what can go on by itself, oldest first."""
    return [row["foreclosure_ref"] for row in conn.execute(_OPEN).fetchall()]


def advance(walk: Walk, ref: str, today: date) -> Row:
    """Take a foreclosure as far as it goes now, and return its row. A quote of an earlier day lapses unpaid."""
    if books.read(walk.conn, BOOK, ref)["state"] == ResolutionState.ACCEPTED:
        _execute(walk, ref, today)
    execution.carry_on(walk, BOOK, ref, lambda _: EndState(CLOSED))
    return books.read(walk.conn, BOOK, ref)


def _execute(walk: Walk, ref: str, today: date) -> None:
    conn = walk.conn
    with conn.transaction():
        row = books.read(conn, BOOK, ref, lock=True)
        if row["state"] != ResolutionState.ACCEPTED:
            return  # another run has begun it
        take_turn(conn, row["loan_id"])
        if row["quoted_on"] != today:
            reason = f"quoted on {row['quoted_on']}: a quote holds on its day alone"
            books.move(conn, BOOK, row, ResolutionState.LAPSED, walk.run, last_error=reason)
            return
        waits_for = money_on_its_way(conn, row["loan_id"], ref)
        payment = _payment(walk, row)
        if waits_for or payment is None:
            wanted = f"a payment of exactly {canonical_amount(row['quoted_total'])} rupees has not come yet"
            books.change(conn, BOOK, row, {"last_error": waits_for or wanted})
            return
        try:
            check_guards(conn, row["loan_id"], ref=ref, override_reason=row["override_reason"])
        except ResolutionError as stopped:
            books.move(conn, BOOK, row, ResolutionState.STOPPED, walk.run, last_error=str(stopped))
            return
        values = {
            "posting_key": payment.posting_key, "ref": ref, "loan_id": row["loan_id"], "amount": payment.amount,
            "business_date": payment.business_date, "booked_on": today, "posted_by": "foreclosure",
        }  # fmt: skip
        conn.execute(STATEMENTS["take_money"], values)
        steps = [
            PlannedStep(StepKind.FORECLOSE, row["quoted_total"], external_id=payment.posting_key),
            PlannedStep(StepKind.POST_MONEY, row["quoted_total"]),
        ]
        add_steps(conn, ref, row["loan_id"], today, steps)
        moved = {"executed_on": today, "posting_key": payment.posting_key}
        books.move(conn, BOOK, row, ResolutionState.EXECUTING, walk.run, **moved)


def _payment(walk: Walk, row: Row) -> Incoming | None:
    """The payment that pays for it: the oldest of exactly the quoted figure."""
    payments = walk.desk.unposted(row["loan_id"])
    return next((each for each in payments if each.amount == row["quoted_total"]), None)


def certificate(conn: WarehouseConnection, ref: str) -> Row:
    """What the no-objection certificate of a foreclosed loan says. Raises ResolutionError unless it is done."""
    row = conn.execute(STATEMENTS["certificate"], (ref,)).fetchone()
    if row is None:
        raise ResolutionError(f"{ref} is no foreclosure that is done")
    return row
