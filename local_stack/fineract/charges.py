"""Charges: what may be charged, the charges of loans, and how they fall on the installments.

Only charges of a flat sum with a due date, in the ordinary payment mode; a real server knows many more.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from local_stack.fineract import enums, errors, loan_records, wire
from local_stack.fineract.allocation import Installment, Portions
from local_stack.fineract.body import FORMAT_FIELDS, Body, Checks, settled
from local_stack.fineract.enums import LoanStatus, TransactionType
from local_stack.fineract.loan_records import Loan
from local_stack.fineract.operations import Answer, Target, result
from local_stack.fineract.store import DuplicateError, Store

_LOAN, _FLAT, _SPECIFIED_DUE_DATE, _REGULAR = 1, 1, 2, 0
_FIELDS: Final = FORMAT_FIELDS | {
    "name", "currencyCode", "amount", "chargeAppliesTo", "chargeTimeType", "chargeCalculationType", "chargePaymentMode",
    "active", "penalty",
}  # fmt: skip
LOAN_CHARGE_FIELDS: Final = frozenset({"chargeId", "amount", "dueDate", "externalId"})


@dataclass(frozen=True, slots=True)
class LoanCharge:
    """A charge of a loan, in paise."""

    id: int
    charge_id: int
    name: str
    penalty: bool
    external_id: str | None
    amount: int
    due_date: date


def create(store: Store, _: Target, body: Body) -> Answer:
    """Define a charge."""
    body.only(_FIELDS)
    checks = Checks("charge")
    for name in ("name", "currencyCode"):
        checks.required(name, body.text(name))
    checks.required("amount", body.amount("amount"))
    checks.positive("amount", body.amount("amount"))
    for name in ("chargeAppliesTo", "chargeTimeType", "chargeCalculationType"):
        checks.required(name, body.plain_integer(name))
    checks.settle()
    asked = tuple(
        body.plain_integer(n) for n in ("chargeAppliesTo", "chargeTimeType", "chargeCalculationType")
    )
    if (
        asked != (_LOAN, _SPECIFIED_DUE_DATE, _FLAT)
        or (body.plain_integer("chargePaymentMode") or 0) != _REGULAR
    ):
        raise errors.NotProvidedError("the stand-in knows flat charges of loans with a due date only")
    try:
        charge_id = store.run(
            "insert into charge (name, currency, amount, penalty) values (?, ?, ?, ?)",
            settled(body.text("name")),
            settled(body.text("currencyCode")),
            wire.paise(settled(body.amount("amount"))),
            bool(body.flag("penalty")),
        )
    except DuplicateError as error:
        taken = body.text("name")
        raise errors.integrity(
            "error.msg.charge.duplicate.name", f"Charge with name `{taken}` already exists", "name", taken
        ) from error
    return result(resourceId=charge_id)


def listed(store: Store) -> list[Answer]:
    """The answer of GET /charges."""
    return [_shown(row) for row in store.rows("select * from charge order by id")]


def view(store: Store, charge_id: int) -> Answer:
    """The answer of GET /charges/{id}."""
    return _shown(_require(store, charge_id))


def _shown(row: sqlite3.Row) -> Answer:
    return {
        "id": row["id"],
        "name": row["name"],
        "active": True,
        "penalty": bool(row["penalty"]),
        "currency": {"code": row["currency"]},
        "amount": wire.rupees(row["amount"]),
        "chargeTimeType": enums.option(
            _SPECIFIED_DUE_DATE, "chargeTimeType.specifiedDueDate", "Specified due date"
        ),
        "chargeCalculationType": enums.option(_FLAT, "chargeCalculationType.flat", "Flat"),
        "chargeAppliesTo": enums.option(_LOAN, "chargeAppliesTo.loan", "Loan"),
    }


def _require(store: Store, charge_id: int) -> sqlite3.Row:
    found = store.row("select * from charge where id = ?", charge_id)
    if found is None:
        message = f"Charge with identifier {charge_id} does not exist"
        raise errors.not_found("error.msg.charge.id.invalid", message, charge_id)
    return found


# ---------------------------------------------------------------- charges of loans


def drafts(store: Store, bodies: Iterable[Body]) -> list[LoanCharge]:
    """The charges that an application or a request names, checked; nothing is written."""
    return [draft(store, body) for body in bodies]


def draft(store: Store, body: Body) -> LoanCharge:
    """One charge as a request names it, checked."""
    checks = Checks("loanCharge")
    charge_id, amount, due = body.plain_integer("chargeId"), body.amount("amount"), body.date("dueDate")
    checks.required("chargeId", charge_id)
    checks.required("amount", amount)
    checks.positive("amount", amount)
    checks.required("dueDate", due)
    checks.settle()
    row = _require(store, settled(charge_id))
    return LoanCharge(
        id=0,
        charge_id=row["id"],
        name=row["name"],
        penalty=bool(row["penalty"]),
        external_id=body.text("externalId"),
        amount=wire.paise(settled(amount)),
        due_date=settled(due),
    )


def save(store: Store, loan_id: int, charge: LoanCharge) -> int:
    """Write a drafted charge; 403 for an external id that any charge has."""
    try:
        return store.run(
            "insert into loan_charge (loan_id, charge_id, external_id, amount, due_date) values (?, ?, ?, ?, ?)",
            loan_id,
            charge.charge_id,
            charge.external_id,
            charge.amount,
            charge.due_date.isoformat(),
        )
    except DuplicateError as error:
        raise errors.integrity(
            "error.msg.loan.charge.duplicate.externalId",
            f"Loan charge with externalId `{charge.external_id}` already exists",
            "externalId",
            charge.external_id,
        ) from error


def charges_of(store: Store, loan_id: int) -> list[LoanCharge]:
    """The charges that count, the one due first at the top."""
    return [
        LoanCharge(
            id=row["id"],
            charge_id=row["charge_id"],
            name=row["name"],
            penalty=bool(row["penalty"]),
            external_id=row["external_id"],
            amount=row["amount"],
            due_date=date.fromisoformat(row["due_date"]),
        )
        for row in store.rows(
            "select loan_charge.*, charge.name, charge.penalty from loan_charge"
            " join charge on charge.id = loan_charge.charge_id"
            " where loan_id = ? and active order by due_date, loan_charge.id",
            loan_id,
        )
    ]


def with_charges(installments: Sequence[Installment], charges: Iterable[LoanCharge]) -> list[Installment]:
    """The installments with each charge on the one in whose period it falls due, beyond the last on one more."""
    spread = list(installments)
    for charge in charges:
        place = next((n for n, each in enumerate(spread) if charge.due_date <= each.due_date), len(spread))
        if place == len(spread):
            last = spread[-1]
            spread.append(Installment(last.number + 1, last.due_date, charge.due_date, Portions()))
        due = Portions(penalty=charge.amount) if charge.penalty else Portions(fee=charge.amount)
        spread[place] = replace(spread[place], due=spread[place].due.plus(due))
    return spread


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a charge is paid and waived, in paise."""

    paid: int
    waived: int
    outstanding: int


def standing_of(store: Store, loan_id: int) -> dict[int, Standing]:
    """How each charge of a loan stands; what its installments took for charges pays the first due first."""
    installments = loan_records.installments_of(store, loan_id)
    left = {False: sum(i.paid.fee for i in installments), True: sum(i.paid.penalty for i in installments)}
    found: dict[int, Standing] = {}
    for charge in charges_of(store, loan_id):
        waived = _waived(store, charge)
        paid = min(charge.amount - waived, left[charge.penalty])
        left[charge.penalty] -= paid
        found[charge.id] = Standing(paid, waived, charge.amount - waived - paid)
    return found


def _waived(store: Store, charge: LoanCharge) -> int:
    found = store.row(
        "select coalesce(sum(amount), 0) as paise from loan_transaction"
        " where loan_charge_id = ? and type = ? and not manually_reversed and not replaced",
        charge.id,
        TransactionType.CHARGE_WAIVER,
    )
    return int(found["paise"]) if found else 0


def views(store: Store, loan_id: int) -> list[Answer]:
    """The charges of a loan as answers show them."""
    standing = standing_of(store, loan_id)
    loan = loan_records.require_loan(store, loan_id)
    written_off = loan.status is LoanStatus.WRITTEN_OFF
    return [
        _charge(charge, standing[charge.id], is_written_off=written_off)
        for charge in charges_of(store, loan_id)
    ]


def _charge(charge: LoanCharge, standing: Standing, *, is_written_off: bool) -> Answer:
    left = standing.outstanding
    return {
        "id": charge.id,
        "chargeId": charge.charge_id,
        "name": charge.name,
        "externalId": charge.external_id,
        "penalty": charge.penalty,
        "chargeTimeType": enums.option(
            _SPECIFIED_DUE_DATE, "chargeTimeType.specifiedDueDate", "Specified due date"
        ),
        "chargeCalculationType": enums.option(_FLAT, "chargeCalculationType.flat", "Flat"),
        "dueDate": wire.day(charge.due_date),
        "amount": wire.rupees(charge.amount),
        "amountPaid": wire.rupees(standing.paid),
        "amountWaived": wire.rupees(standing.waived),
        "amountWrittenOff": wire.rupees(left if is_written_off else 0),
        "amountOutstanding": wire.rupees(0 if is_written_off else left),
        "paid": standing.paid == charge.amount,
        "waived": bool(standing.waived) and not left,
    }


def drop_later(store: Store, loan: Loan, on: date) -> None:
    """A foreclosure takes back the charges that fall due after it."""
    store.run("update loan_charge set active = 0 where loan_id = ? and due_date > ?", loan.id, on.isoformat())


def is_foreclosed(store: Store, loan_id: int) -> bool:
    """Whether the loan was closed by foreclosure."""
    return store.row("select 1 from foreclosed_loan where loan_id = ?", loan_id) is not None
