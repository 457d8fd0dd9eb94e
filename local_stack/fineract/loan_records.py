"""Loans, their installments and their transactions as records: reading and writing, no rules."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import msgspec

from local_stack.fineract import errors
from local_stack.fineract.allocation import STRATEGIES, Component, Installment, Portions
from local_stack.fineract.enums import (
    LOWERING,
    Amortization,
    Frequency,
    InterestMethod,
    InterestPeriod,
    LoanStatus,
    TransactionType,
)
from local_stack.fineract.schedule import Terms
from local_stack.fineract.store import Store, Value


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """What was agreed: the terms of the schedule but for the sum and the date of disbursement."""

    repayments: int
    every: int
    frequency: Frequency
    rate: Decimal
    rate_unit: Frequency
    annual_rate: Decimal
    amortization: Amortization
    interest_method: InterestMethod
    interest_period: InterestPeriod
    days_in_year: int
    days_in_month: int
    principal_grace: int
    multiples_of: int | None
    strategy: str
    first_due: date | None = None
    recalculates: bool = False

    def of_loan(self, principal: int, disbursed_on: date) -> Terms:
        """The terms of the schedule when `principal` paise are lent on that date."""
        return Terms(
            principal=principal,
            annual_rate=self.annual_rate,
            repayments=self.repayments,
            every=self.every,
            frequency=self.frequency,
            amortization=self.amortization,
            interest_method=self.interest_method,
            interest_period=self.interest_period,
            disbursed_on=disbursed_on,
            days_in_year=self.days_in_year,
            days_in_month=self.days_in_month,
            principal_grace=self.principal_grace,
            multiples_of=self.multiples_of,
            first_due=self.first_due,
        )

    @property
    def order(self) -> tuple[Component, ...]:
        """What a repayment pays first inside an installment."""
        return STRATEGIES[self.strategy]


@dataclass(frozen=True, slots=True)
class Loan:
    """A loan account. Sums in paise; `principal` is the sum proposed, approved or disbursed, whichever came last."""

    id: int
    account_no: str
    external_id: str | None
    client_id: int
    product_id: int
    status: LoanStatus
    principal: int
    proposed_principal: int
    approved_principal: int | None
    overpaid: int
    terms: LoanTerms
    submitted_on: date
    expected_disbursement_on: date
    approved_on: date | None = None
    disbursed_on: date | None = None
    rejected_on: date | None = None
    withdrawn_on: date | None = None
    closed_on: date | None = None
    overpaid_on: date | None = None

    @property
    def lent_on(self) -> date:
        """The day the money went out, or is expected to."""
        return self.disbursed_on or self.expected_disbursement_on


@dataclass(frozen=True, slots=True)
class Payment:
    """How money came: the type and the references given with it."""

    type_id: int | None = None
    references: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction. Sums in paise; `balance` is the principal outstanding after it; a draft has the id 0."""

    id: int
    loan_id: int
    kind: TransactionType
    on: date
    submitted_on: date
    amount: int
    portions: Portions = field(default_factory=Portions)
    balance: int = 0
    external_id: str | None = None
    payment: Payment | None = None
    replays: int | None = None
    reversal_external_id: str | None = None
    manually_reversed: bool = False
    reversed_on: date | None = None
    loan_charge_id: int | None = None


def id_of_loan(store: Store, external_id: str) -> int:
    """The loan's id behind an external id; 404 when nobody has it."""
    found = store.row("select id from loan where external_id = ?", external_id)
    if found is None:
        message = f"Loan with external identifier {external_id} does not exist"
        raise errors.not_found("error.msg.loan.external.id.invalid", message, external_id)
    return int(found["id"])


def id_of_transaction(store: Store, external_id: str) -> int:
    """The transaction's id behind an external id, of whatever loan; 404 when nobody has it."""
    found = store.row("select id from loan_transaction where external_id = ?", external_id)
    if found is None:
        message = f"Loan transaction with external identifier {external_id} does not exist"
        raise errors.not_found("error.msg.loan.transaction.external.id.invalid", message, external_id)
    return int(found["id"])


def version_of(store: Store, loan_id: int | None) -> int | None:
    """The version every write to a loan raises; None for a loan that does not exist."""
    found = store.row("select version from loan where id = ?", loan_id)
    return None if found is None else int(found["version"])


def is_locked(store: Store, loan_id: int | None) -> bool:
    """Whether close of business holds the loan."""
    return store.row("select 1 from loan_lock where loan_id = ?", loan_id) is not None


def require_loan(store: Store, loan_id: int | None) -> Loan:
    """The loan; 404 when there is none."""
    found = store.row("select * from loan where id = ?", loan_id)
    if found is None:
        message = f"Loan with identifier {loan_id} does not exist"
        raise errors.not_found("error.msg.loan.id.invalid", message, loan_id)
    return loan_of(found)


def loan_of(row: sqlite3.Row) -> Loan:
    """A row of the loan table as a record."""
    return Loan(
        id=row["id"],
        account_no=row["account_no"],
        external_id=row["external_id"],
        client_id=row["client_id"],
        product_id=row["product_id"],
        status=LoanStatus(row["status"]),
        principal=row["principal"],
        proposed_principal=row["proposed_principal"],
        approved_principal=row["approved_principal"],
        overpaid=row["overpaid"],
        terms=msgspec.json.decode(row["terms"], type=LoanTerms),
        submitted_on=date.fromisoformat(row["submitted_on"]),
        expected_disbursement_on=date.fromisoformat(row["expected_disbursement_on"]),
        approved_on=_date(row["approved_on"]),
        disbursed_on=_date(row["disbursed_on"]),
        rejected_on=_date(row["rejected_on"]),
        withdrawn_on=_date(row["withdrawn_on"]),
        closed_on=_date(row["closed_on"]),
        overpaid_on=_date(row["overpaid_on"]),
    )


def add_loan(store: Store, draft: Loan) -> int:
    """Insert a loan and return its id; raises DuplicateError. An account number is made up when it has none."""
    loan_id = store.run(
        """
        insert into loan (account_no, external_id, client_id, product_id, status, principal, proposed_principal,
            terms, submitted_on, expected_disbursement_on)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        draft.account_no or None,
        draft.external_id,
        draft.client_id,
        draft.product_id,
        draft.status,
        draft.principal,
        draft.proposed_principal,
        msgspec.json.encode(draft.terms).decode(),
        draft.submitted_on.isoformat(),
        draft.expected_disbursement_on.isoformat(),
    )
    store.run("update loan set account_no = ? where id = ? and account_no is null", f"{loan_id:09d}", loan_id)
    return loan_id


def save_loan(store: Store, loan: Loan) -> None:
    """Write what may change of a loan, and raise its version."""
    store.run(
        """
        update loan set version = version + 1, status = ?, principal = ?, approved_principal = ?, overpaid = ?,
            expected_disbursement_on = ?, approved_on = ?, disbursed_on = ?, rejected_on = ?, withdrawn_on = ?,
            closed_on = ?, overpaid_on = ?
        where id = ?
        """,
        loan.status,
        loan.principal,
        loan.approved_principal,
        loan.overpaid,
        loan.expected_disbursement_on.isoformat(),
        _text(loan.approved_on),
        _text(loan.disbursed_on),
        _text(loan.rejected_on),
        _text(loan.withdrawn_on),
        _text(loan.closed_on),
        _text(loan.overpaid_on),
        loan.id,
    )


def replace_dues(store: Store, loan_id: int, installments: Iterable[Installment]) -> None:
    """Give a loan the schedule of these installments, unpaid: their dues, charges included."""
    store.run("delete from installment where loan_id = ?", loan_id)
    store.run_many(
        "insert into installment (loan_id, number, from_date, due_date, principal, interest, fee, penalty)"
        " values (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                loan_id, i.number, i.from_date.isoformat(), i.due_date.isoformat(),
                i.due.principal, i.due.interest, i.due.fee, i.due.penalty,
            )
            for i in installments
        ],
    )  # fmt: skip


def installments_of(store: Store, loan_id: int) -> list[Installment]:
    """A loan's schedule in order."""
    return [
        Installment(
            number=row["number"],
            from_date=date.fromisoformat(row["from_date"]),
            due_date=date.fromisoformat(row["due_date"]),
            due=Portions(row["principal"], row["interest"], row["fee"], row["penalty"]),
            paid=Portions(row["principal_paid"], row["interest_paid"], row["fee_paid"], row["penalty_paid"]),
            waived=Portions(0, row["interest_waived"], row["fee_waived"], row["penalty_waived"]),
            paid_in_advance=row["paid_in_advance"],
            paid_late=row["paid_late"],
            met_on=_date(row["met_on"]),
        )
        for row in store.rows("select * from installment where loan_id = ? order by number", loan_id)
    ]


def save_paid(
    store: Store, loan_id: int, before: Sequence[Installment], after: Sequence[Installment]
) -> None:
    """Write what has been paid towards and waived of the installments that changed."""
    store.run_many(
        """
        update installment set principal_paid = ?, interest_paid = ?, fee_paid = ?, penalty_paid = ?,
            interest_waived = ?, fee_waived = ?, penalty_waived = ?, paid_in_advance = ?, paid_late = ?, met_on = ?
        where loan_id = ? and number = ?
        """,
        [
            (
                new.paid.principal,
                new.paid.interest,
                new.paid.fee,
                new.paid.penalty,
                new.waived.interest,
                new.waived.fee,
                new.waived.penalty,
                new.paid_in_advance,
                new.paid_late,
                _text(new.met_on),
                loan_id,
                new.number,
            )
            for old, new in zip(before, after, strict=True)
            if new is not old
        ],
    )


def add_transaction(store: Store, draft: Transaction) -> int:
    """Book a transaction and return its id; raises DuplicateError for an external id taken on any loan."""
    return store.run(
        """
        insert into loan_transaction (loan_id, type, date, submitted_on, amount, principal, interest, fee, penalty,
            overpayment, balance, external_id, payment, replays, loan_charge_id)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        draft.loan_id,
        draft.kind,
        draft.on.isoformat(),
        draft.submitted_on.isoformat(),
        draft.amount,
        *_columns(draft.portions),
        draft.balance,
        draft.external_id,
        None if draft.payment is None else msgspec.json.encode(draft.payment).decode(),
        draft.replays,
        draft.loan_charge_id,
    )


def set_portions(store: Store, transaction_id: int, portions: Portions, balance: int) -> None:
    """Write what a transaction paid."""
    store.run(
        """
        update loan_transaction set principal = ?, interest = ?, fee = ?, penalty = ?, overpayment = ?, balance = ?
        where id = ?
        """,
        *_columns(portions),
        balance,
        transaction_id,
    )


def reverse_by_hand(store: Store, transaction_id: int, on: date, reversal_external_id: str | None) -> None:
    """Reverse a transaction on request: it stays visible and keeps its external id. Raises DuplicateError."""
    store.run(
        "update loan_transaction set manually_reversed = 1, reversed_on = ?, reversal_external_id = ? where id = ?",
        on.isoformat(),
        reversal_external_id,
        transaction_id,
    )


def hide_replaced(store: Store, transaction_id: int, on: date) -> None:
    """Reverse a transaction that a replay puts another in the place of: it disappears and gives up its external id."""
    store.run(
        "update loan_transaction set replaced = 1, reversed_on = ?, external_id = null where id = ?",
        on.isoformat(),
        transaction_id,
    )


def transactions_of(store: Store, loan_id: int) -> list[Transaction]:
    """A loan's transactions as a reader sees them: by date, then by age, without what a replay replaced."""
    return [
        transaction_of(row)
        for row in store.rows(
            "select * from loan_transaction where loan_id = ? and not replaced order by date, id", loan_id
        )
    ]


def live_repayments(store: Store, loan_id: int) -> list[Transaction]:
    """What lowers the dues and counts, repayments, credits and waivers, in the order they are applied."""
    return [
        transaction
        for transaction in transactions_of(store, loan_id)
        if transaction.kind in LOWERING and not transaction.manually_reversed
    ]


def recovered_on(store: Store, loan_id: int) -> int:
    """Paise that came in after the loan was written off."""
    found = store.row(
        "select coalesce(sum(amount), 0) as paise from loan_transaction"
        " where loan_id = ? and type = ? and not manually_reversed",
        loan_id,
        TransactionType.RECOVERY,
    )
    return int(found["paise"]) if found else 0


def charged_off_on(store: Store, loan_id: int) -> date | None:
    """The date of the charge-off that stands."""
    return max(
        (
            transaction.on
            for transaction in transactions_of(store, loan_id)
            if transaction.kind is TransactionType.CHARGE_OFF and not transaction.manually_reversed
        ),
        default=None,
    )


def last_repaid_on(store: Store, loan_id: int) -> date | None:
    """The date of the latest repayment, credit or waiver that counts."""
    return max((transaction.on for transaction in live_repayments(store, loan_id)), default=None)


def require_transaction(store: Store, loan_id: int, transaction_id: int) -> Transaction:
    """A transaction of that loan; 404 when the loan has none of that id."""
    found = store.row("select * from loan_transaction where id = ? and loan_id = ?", transaction_id, loan_id)
    if found is None:
        message = (
            f"Transaction with identifier {transaction_id} does not exist for loan with identifier {loan_id}."
        )
        raise errors.not_found("error.msg.loan.transaction.id.invalid", message, transaction_id, loan_id)
    return transaction_of(found)


def transaction_of(row: sqlite3.Row) -> Transaction:
    """A row of the transaction table as a record."""
    return Transaction(
        id=row["id"],
        loan_id=row["loan_id"],
        kind=TransactionType(row["type"]),
        on=date.fromisoformat(row["date"]),
        submitted_on=date.fromisoformat(row["submitted_on"]),
        amount=row["amount"],
        portions=Portions(row["principal"], row["interest"], row["fee"], row["penalty"], row["overpayment"]),
        balance=row["balance"],
        external_id=row["external_id"],
        reversal_external_id=row["reversal_external_id"],
        manually_reversed=bool(row["manually_reversed"]),
        reversed_on=_date(row["reversed_on"]),
        replays=row["replays"],
        loan_charge_id=row["loan_charge_id"],
        payment=None if row["payment"] is None else msgspec.json.decode(row["payment"], type=Payment),
    )


def _columns(portions: Portions) -> tuple[Value, ...]:
    return portions.principal, portions.interest, portions.fee, portions.penalty, portions.overpayment


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
