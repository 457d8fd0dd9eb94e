"""The proof: Fineract's transactions that carry our external ids and the ledger's posted payments are in bijection.

Loan by loan: every posted payment is one transaction that stands, on its loan, with its amount and date; and every
transaction that looks like ours is in the ledger. What is not ours is counted as foreign. The ledger is read before
Fineract, and again for what only Fineract has, so that posting may go on meanwhile. Differences become exceptions of
kind `proof_difference`, which clear themselves when a later proof finds them healed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.money import canonical_amount
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind, PostingOutcome
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.errors import FineractNotFoundError
from turno_lms.fineract.repayments import iso_date, locale_amount
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.warehouse.connection import WarehouseConnection

_ENTRIES = Path(__file__).with_name("ledger_entries.sql").read_text(encoding="utf-8")
_CONSERVATION = Path(__file__).with_name("conservation.sql").read_text(encoding="utf-8")
_POSTED_LOANS = "select distinct loan_id from core.core_transaction_data_processed where outcome = 'posted'"
_CHANGED = Path(__file__).with_name("changed_loans.sql").read_text(encoding="utf-8")
_NEWEST_SNAPSHOTS = """
select wanted.loan_id, max(snapshot.snapshot_id) as snapshot_id, clock_timestamp() as proved_at, %s as run
from unnest(%s::text[]) as wanted (loan_id)
left join raw.raw_fineract_loan_snapshot as snapshot on upper(btrim(snapshot.external_id)) = wanted.loan_id
group by wanted.loan_id
"""
_RECORD_PROOF = """
insert into core.core_loan_proof (loan_id, snapshot_id, proved_at, proved_by_run)
values (%(loan_id)s, %(snapshot_id)s, %(proved_at)s, %(run)s)
on conflict (loan_id) do update
    set snapshot_id = excluded.snapshot_id, proved_at = excluded.proved_at, proved_by_run = excluded.proved_by_run
"""
_OPEN_DIFFERENCE = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
values (%s, %s, %s, %s, %s, %s, %s)
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
"""
_ASK_ABOUT_EXCESS = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, amount, detail, opened_by_run)
select %(kind)s, %(key)s, %(lender)s, %(loan_id)s, %(amount)s, %(detail)s, %(run)s
where not exists (
    select 1 from core.core_recon_exception as earlier
    where earlier.kind = %(kind)s and earlier.subject = %(key)s and earlier.amount = %(amount)s
)
on conflict (kind, subject) where state = 'open' do update set amount = excluded.amount, detail = excluded.detail
"""
_CLEAR_HEALED = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %s, close_reason = 'a later proof found no difference'
where kind = %s and state = 'open' and loan_id = any(%s) and not subject = any(%s)
"""
_OURS = re.compile(r"[0-9a-f]{32}(-o\d+)?(-r\d+)?")
_OPEN = "open"
_PAYMENT_TYPES = frozenset({2, 8})  # a repayment, and a recovery on a written-off loan
_BATCH = 200


class DifferenceKind(StrEnum):
    """What is wrong with one posting key."""

    MISSING_IN_FINERACT = "missing_in_fineract"
    REVERSED_IN_FINERACT = "reversed_in_fineract"
    POSTED_TWICE = "posted_twice"
    LOAN_DIFFERS = "loan_differs"
    AMOUNT_DIFFERS = "amount_differs"
    DATE_DIFFERS = "date_differs"
    MISSING_IN_LEDGER = "missing_in_ledger"
    ENDED_OTHERWISE = "ended_otherwise"  # in Fineract, while the ledger says failed or withdrawn


@dataclass(frozen=True)
class Entry:
    """A payment in the ledger: posted, failed, withdrawn, or open in the queue."""

    posting_key: str
    loan_id: str
    lender: str | None
    business_date: date
    amount: Decimal
    status: str


@dataclass(frozen=True)
class Found:
    """A transaction in Fineract, on the loan with this canonical id."""

    transaction_id: int
    external_id: str | None
    loan_id: str
    transaction_date: date
    amount: Decimal
    is_repayment: bool
    is_reversed: bool
    overpaid: Decimal = Decimal(0)


@dataclass(frozen=True)
class Difference:
    """One posting key on which Fineract and the ledger disagree."""

    kind: DifferenceKind
    posting_key: str
    loan_id: str
    lender: str | None
    amount: Decimal
    detail: str

    def __str__(self) -> str:
        amount = canonical_amount(self.amount)
        return f"{self.kind}: loan {self.loan_id}, {amount} rupees, key {self.posting_key}: {self.detail}"


class ProofError(RuntimeError):
    """Fineract and the ledger disagree. The differences are open exceptions of kind proof_difference."""


@dataclass
class ProofReport:
    """Loans looked at, transactions of ours found standing there, foreign repayments, payments that are in Fineract
    while their intent is still open, and the differences.
    """

    loans: int = 0
    transactions: int = 0
    foreign: int = 0
    unsettled: int = 0
    differences: list[Difference] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        return {**asdict(self), "differences": [str(difference) for difference in self.differences]}

    def raise_for_differences(self) -> None:
        """Raise ProofError with the first differences if there are any."""
        if self.differences:
            shown = "; ".join(map(str, self.differences[:10]))
            raise ProofError(f"{len(self.differences)} differences between Fineract and the ledger: {shown}")


def prove(
    conn: WarehouseConnection, client: FineractClient, loan_ids: Iterable[str] | None, run: RunContext
) -> ProofReport:
    """Prove the given loans, or with None every loan that Fineract lists or the ledger has posted to.

    Each batch's exceptions are committed before this returns; a DAG then calls `raise_for_differences`.
    """
    report = ProofReport()
    for batch in _batches(conn, client, loan_ids):
        _prove_batch(conn, client, batch, run, report)
    return report


def changed_loans(conn: WarehouseConnection) -> list[str]:
    """The loans to prove daily: those with a newer snapshot or ledger entry than their last proof, or a difference.

    What somebody changes in Fineract changes the loan's row in its list, and with it the snapshot.
    """
    return [row["loan_id"] for row in conn.execute(_CHANGED)]


def find_files_that_do_not_tie(conn: WarehouseConnection) -> list[str]:
    """Conservation, file by file: a readable line for each file whose log, RAW rows and rejects do not add up."""
    return [
        f"file {row['file_id']} {row['key']} ({row['state']}): logged {_numbers(row['logged'])}, "
        f"stored {_numbers(row['stored'])} (rows read, accepted, filtered, duplicate, rejected, then the same in paise)"
        for row in conn.execute(_CONSERVATION)
    ]


def _numbers(values: list[Decimal | None]) -> str:
    return "/".join("-" if value is None else str(value) for value in values)


def _batches(
    conn: WarehouseConnection, client: FineractClient, loan_ids: Iterable[str] | None
) -> Iterator[list[tuple[str, str]]]:
    """Loans as (canonical id, external id as Fineract spells it), some at a time."""
    loans = _every_loan(conn, client) if loan_ids is None else _given_loans(conn, loan_ids)
    for start in range(0, len(loans), _BATCH):
        yield loans[start : start + _BATCH]


def _given_loans(conn: WarehouseConnection, loan_ids: Iterable[str]) -> list[tuple[str, str]]:
    with conn.transaction():
        addresses = loan_addresses(conn, sorted(set(loan_ids)))
    return [(loan_id, address.external_id) for loan_id, address in addresses.items()]


def _every_loan(conn: WarehouseConnection, client: FineractClient) -> list[tuple[str, str]]:
    listed = (loan["externalId"] for loan in client.list_loans() if loan.get("externalId"))
    loans = [(canonical_loan_id(external_id), external_id) for external_id in listed]
    known = {loan_id for loan_id, _ in loans}
    with conn.transaction():
        only_posted = {row["loan_id"] for row in conn.execute(_POSTED_LOANS)} - known
    return sorted([*loans, *((loan_id, loan_id) for loan_id in only_posted)])


def _prove_batch(
    conn: WarehouseConnection,
    client: FineractClient,
    loans: list[tuple[str, str]],
    run: RunContext,
    report: ProofReport,
) -> None:
    loan_ids = sorted({loan_id for loan_id, _ in loans})
    with conn.transaction():
        standing = conn.execute(_NEWEST_SNAPSHOTS, (run.label, loan_ids)).fetchall()
        before = [entry for entry in _entries(conn, loan_ids, []) if entry.status == PostingOutcome.POSTED]
    found = [each for loan_id, external_id in loans for each in _transactions(client, loan_id, external_id)]
    with conn.transaction():
        only_found = {each.external_id for each in found if each.external_id} - {
            each.posting_key for each in before
        }
        differences = _compare(before, _entries(conn, [], sorted(only_found)), found, report)
        _record(conn, loan_ids, differences, run)
        _ask_about_excess(conn, before, found, run)
        conn.cursor().executemany(_RECORD_PROOF, standing)
    report.loans += len(loan_ids)
    report.differences += differences


def _ask_about_excess(
    conn: WarehouseConnection, posted: list[Entry], found: list[Found], run: RunContext
) -> None:
    """Rupees of our payments that Fineract booked as overpaid are the customer's: one question each, asked once."""
    ours = {entry.posting_key: entry for entry in posted}
    for each in found:
        entry = ours.get(each.external_id or "")
        if entry and each.overpaid and not each.is_reversed:
            reason = f"{canonical_amount(each.overpaid)} of {canonical_amount(each.amount)} rupees are beyond the dues"
            values = {
                "kind": ExceptionKind.OVERPAID, "key": entry.posting_key, "lender": entry.lender,
                "loan_id": entry.loan_id, "amount": each.overpaid, "detail": Jsonb({"reason": reason}),
                "run": run.label,
            }  # fmt: skip
            conn.execute(_ASK_ABOUT_EXCESS, values)


def _entries(conn: WarehouseConnection, loan_ids: list[str], keys: list[str]) -> list[Entry]:
    return [Entry(**row) for row in conn.execute(_ENTRIES, {"loans": loan_ids, "keys": keys})]


def _transactions(client: FineractClient, loan_id: str, external_id: str) -> list[Found]:
    try:
        return [_found(transaction, loan_id) for transaction in client.loan_transactions(external_id)]
    except FineractNotFoundError:
        return []


def _found(transaction: Json, loan_id: str) -> Found:
    day, amount = iso_date(transaction.get("date")), locale_amount(transaction.get("amount"))
    if day is None or amount is None:
        raise ProofError(
            f"loan {loan_id}: transaction {transaction.get('id')} has no readable date and amount"
        )
    return Found(
        transaction_id=transaction["id"],
        external_id=transaction.get("externalId"),
        loan_id=loan_id,
        transaction_date=day,
        amount=amount,
        is_repayment=transaction.get("type", {}).get("id") in _PAYMENT_TYPES,
        is_reversed=bool(transaction.get("manuallyReversed")),
        overpaid=locale_amount(transaction.get("overpaymentPortion")) or Decimal(0),
    )


def _compare(
    before: list[Entry], after: list[Entry], found: list[Found], report: ProofReport
) -> list[Difference]:
    """Both directions. `before` was posted before Fineract was read, `after` is what the ledger says of the rest."""
    by_key: dict[str, list[Found]] = defaultdict(list)
    for each in found:
        by_key[each.external_id or ""].append(each)
    report.foreign += sum(each.is_repayment for each in by_key.pop("", []))
    differences = [_check_posted(entry, by_key.pop(entry.posting_key, [])) for entry in before]
    report.transactions += sum(difference is None for difference in differences)
    now = {entry.posting_key: entry for entry in sorted(after, key=lambda entry: entry.status == _OPEN)}
    for key, transactions in by_key.items():
        standing = [each for each in transactions if not each.is_reversed]
        if standing:
            differences.append(_check_standing(key, standing, now.get(key), report))
    return [difference for difference in differences if difference]


def _check_posted(entry: Entry, transactions: list[Found]) -> Difference | None:
    """A payment that the ledger has as posted, against the transactions with its external id."""
    standing = [each for each in transactions if not each.is_reversed]
    ids = ", ".join(str(each.transaction_id) for each in transactions)
    if not standing:
        kind = DifferenceKind.REVERSED_IN_FINERACT if transactions else DifferenceKind.MISSING_IN_FINERACT
        return _difference(kind, entry, f"Fineract transactions: {ids or 'none'}")
    one = standing[0]
    checks = (
        (DifferenceKind.POSTED_TWICE, len(standing), 1),
        (DifferenceKind.LOAN_DIFFERS, one.loan_id, entry.loan_id),
        (DifferenceKind.AMOUNT_DIFFERS, one.amount, entry.amount),
        (DifferenceKind.DATE_DIFFERS, one.transaction_date, entry.business_date),
    )
    for kind, in_fineract, in_ledger in checks:
        if in_fineract != in_ledger:
            return _difference(kind, entry, f"Fineract (transaction {ids}) {in_fineract}, ledger {in_ledger}")
    return None


def _difference(kind: DifferenceKind, entry: Entry, detail: str) -> Difference:
    return Difference(kind, entry.posting_key, entry.loan_id, entry.lender, entry.amount, detail)


def _check_standing(
    key: str, standing: list[Found], entry: Entry | None, report: ProofReport
) -> Difference | None:
    """Transactions in Fineract under a key that was not posted in the ledger when Fineract was read."""
    one = standing[0]
    if entry is None or entry.status == PostingOutcome.HISTORIC:
        if entry is None and _OURS.fullmatch(key):
            detail = f"Fineract transaction {one.transaction_id} of {one.transaction_date}"
            return Difference(DifferenceKind.MISSING_IN_LEDGER, key, one.loan_id, None, one.amount, detail)
        report.foreign += sum(each.is_repayment for each in standing)
        return None
    if entry.status == PostingOutcome.POSTED:
        difference = _check_posted(entry, standing)
        report.transactions += difference is None
        return difference
    if entry.status in set(PostingOutcome):
        detail = f"Fineract transaction {one.transaction_id}, while the ledger says {entry.status}"
        return _difference(DifferenceKind.ENDED_OTHERWISE, entry, detail)
    report.unsettled += 1
    return None


def _record(
    conn: WarehouseConnection, loan_ids: list[str], differences: list[Difference], run: RunContext
) -> None:
    """Open an exception per difference, clear those of these loans that are healed."""
    kind = ExceptionKind.PROOF_DIFFERENCE
    for each in differences:
        detail = Jsonb({"difference": each.kind, "detail": each.detail})
        conn.execute(
            _OPEN_DIFFERENCE,
            (kind, each.posting_key, each.lender, each.loan_id, each.amount, detail, run.label),
        )
    conn.execute(_CLEAR_HEALED, (run.label, kind, loan_ids, [each.posting_key for each in differences]))
