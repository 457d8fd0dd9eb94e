"""Loans as Fineract lists them, kept in raw.raw_fineract_loan_snapshot: one row more whenever a loan has changed.

Run twice: the second run appends nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.repayments import iso_date, locale_amount
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Row, WarehouseConnection

_LATEST = """
select distinct on (fineract_loan_id) fineract_loan_id, external_id, payload_md5
from raw.raw_fineract_loan_snapshot
where fineract_loan_id = any(%s)
order by fineract_loan_id, snapshot_id desc
"""
_INSERT = """
insert into raw.raw_fineract_loan_snapshot
    (fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_by_run)
values (%s, %s, %s, %s, %s::jsonb, %s, %s)
"""
_TO_LOOK_AT = """
with newest as (
    select distinct on (fineract_loan_id) fineract_loan_id, external_id, snapshot_id
    from raw.raw_fineract_loan_snapshot
    order by fineract_loan_id, snapshot_id desc
),

ranked as (
    select
        newest.fineract_loan_id,
        newest.external_id,
        newest.snapshot_id,
        newest.snapshot_id > coalesce(looked.snapshot_id, 0) as is_changed,
        looked.looked_at,
        row_number() over (
            partition by newest.snapshot_id > coalesce(looked.snapshot_id, 0)
            order by looked.looked_at nulls first, newest.fineract_loan_id
        ) as nth
    from newest
    left join core.core_loan_look as looked on newest.fineract_loan_id = looked.fineract_loan_id
    where newest.external_id is not null
)

select fineract_loan_id, external_id, snapshot_id, is_changed
from ranked
where is_changed or nth <= (select ceil(count(*)::numeric / %(sweep_days)s) from newest)
order by is_changed desc, looked_at nulls first, fineract_loan_id
"""
_INSERT_DETAIL = """
insert into raw.raw_fineract_loan_detail
    (fineract_loan_id, external_id, status_id, summary, transactions, schedule, payload_md5, taken_by_run)
select
    %(loan)s, %(external_id)s, %(status)s, %(summary)s::jsonb, %(transactions)s::jsonb, %(schedule)s::jsonb, %(md5)s,
    %(run)s
where %(md5)s is distinct from (
    select payload_md5 from raw.raw_fineract_loan_detail
    where fineract_loan_id = %(loan)s order by detail_id desc limit 1
)
"""
_LOOKED = """
insert into core.core_loan_look (fineract_loan_id, snapshot_id, looked_at, looked_by_run)
values (%(loan)s, %(snapshot_id)s, %(asked_at)s, %(run)s)
on conflict (fineract_loan_id) do update
    set snapshot_id = excluded.snapshot_id, looked_at = excluded.looked_at, looked_by_run = excluded.looked_by_run
"""
_ADDRESSES = """
select distinct on (loan_id) upper(trim(external_id)) as loan_id, external_id, fineract_loan_id
from raw.raw_fineract_loan_snapshot
where upper(trim(external_id)) = any(%s)
order by loan_id, snapshot_id desc
"""


@dataclass(frozen=True)
class LoanAddress:
    """How Fineract spells a loan's external id, and its own number for the loan; None while no snapshot has it."""

    external_id: str
    fineract_loan_id: int | None = None


@dataclass(frozen=True)
class SnapshotReport:
    """How many loans Fineract listed, and how many had changed since the last snapshot."""

    loans: int
    changed: int

    def to_dict(self) -> dict[str, int]:
        """For XCom."""
        return asdict(self)


@dataclass(frozen=True)
class DetailReport:
    """How many loans were fetched in full, changed ones and in their turn, and how many were stored."""

    changed: int
    in_turn: int
    stored: int

    def to_dict(self) -> dict[str, int]:
        """For XCom."""
        return asdict(self)


SWEEP_DAYS = 14
"""Within so many daily runs every loan is fetched in full once, changed or not."""
_DETAILS_AT_ONCE = 50
_OF_A_LOAN = ("transactions", "repaymentSchedule")


def snapshot_details(
    conn: WarehouseConnection, client: FineractClient, run: RunContext, sweep_days: int = SWEEP_DAYS
) -> DetailReport:
    """Fetch loans with transactions and instalments: first those whose row in the list has changed since the last time.

    Then those that were not looked at for longest, a share of all. Committed some at a time: a killed run goes on where
    it was. `conn` must be in autocommit.
    """
    loans = conn.execute(_TO_LOOK_AT, {"sweep_days": sweep_days}).fetchall()
    stored = 0
    for start in range(0, len(loans), _DETAILS_AT_ONCE):
        batch = loans[start : start + _DETAILS_AT_ONCE]
        asked = conn.execute("select clock_timestamp() as asked_at").fetchone() or {}
        details = [(row | asked, client.find_loan(row["external_id"], _OF_A_LOAN)) for row in batch]
        with conn.transaction():
            stored += sum(_store_detail(conn, row, loan, run) for row, loan in details)
    changed = sum(row["is_changed"] for row in loans)
    return DetailReport(changed, len(loans) - changed, stored)


def _store_detail(conn: WarehouseConnection, row: Row, loan: Json | None, run: RunContext) -> int:
    """Append the loan if it is other than it was; one that Fineract does not find any more stays as it was."""
    # what was posted before it was asked for is in the answer for certain
    values = {
        "loan": row["fineract_loan_id"], "snapshot_id": row["snapshot_id"], "asked_at": row["asked_at"],
        "run": run.label,
    }  # fmt: skip
    stored = 0
    if loan is not None:
        summary = exact_json.dumps(loan.get("summary") or {})
        transactions = exact_json.dumps([_transaction(each) for each in loan.get("transactions") or []])
        schedule = exact_json.dumps(_instalments(loan))
        told = f"{loan['status']['id']}{summary}{transactions}{schedule}"
        values |= {
            "external_id": row["external_id"], "status": loan["status"]["id"], "summary": summary,
            "transactions": transactions, "schedule": schedule,
            "md5": hashlib.md5(told.encode(), usedforsecurity=False).hexdigest(),
        }  # fmt: skip
        stored = conn.execute(_INSERT_DETAIL, values).rowcount
    conn.execute(_LOOKED, values)
    return stored


def _transaction(transaction: Json) -> Json:
    """What reconciliation needs of a transaction; nothing about people."""
    return {
        "id": transaction["id"],
        "external_id": transaction.get("externalId"),
        "type_id": transaction["type"]["id"],
        "date": iso_date(transaction.get("date")),
        "amount": locale_amount(transaction.get("amount")),
        "overpaid": locale_amount(transaction.get("overpaymentPortion")) or Decimal(0),
        "is_reversed": bool(transaction.get("manuallyReversed")),
    }


def _instalments(loan: Json) -> list[Json] | None:
    """The instalments in their order, each sum in rupees; None for a loan that has none."""
    periods = (loan.get("repaymentSchedule") or {}).get("periods") or []
    return [_instalment(period) for period in periods if period.get("period")] or None


def _instalment(period: Json) -> Json:
    """What does not change by the mere passing of days; fees with penalties, waived with written off."""

    def rupees(*names: str) -> Decimal:
        return sum((locale_amount(period.get(name)) or Decimal(0) for name in names), Decimal(0))

    return {
        "number": period["period"],
        "due_on": iso_date(period.get("dueDate")),
        "principal": rupees("principalDue"),
        "interest": rupees("interestDue"),
        "fees": rupees("feeChargesDue", "penaltyChargesDue"),
        "paid": rupees("totalPaidForPeriod"),
        "forgiven": rupees("totalWaivedForPeriod", "totalWrittenOffForPeriod"),
        "outstanding": rupees("totalOutstandingForPeriod"),
        "met_on": iso_date(period.get("obligationsMetOnDate")),
    }


def snapshot_loans(conn: WarehouseConnection, client: FineractClient, run: RunContext) -> SnapshotReport:
    """Append every loan that changed since its last snapshot, page by page, each page in its own transaction."""
    loans = changed = 0
    for page in client.loan_pages():
        loans += len(page)
        with conn.transaction():
            changed += _append_changed(conn, page, run)
    return SnapshotReport(loans, changed)


def snapshot_loan(conn: WarehouseConnection, loan: Json, run: RunContext) -> bool:
    """Append one loan as it was just read, if it changed; in the caller's transaction. True if it did."""
    return bool(_append_changed(conn, [loan], run))


def _append_changed(conn: WarehouseConnection, page: list[Json], run: RunContext) -> int:
    latest = {row["fineract_loan_id"]: row for row in conn.execute(_LATEST, ([loan["id"] for loan in page],))}
    rows: list[tuple[Any, ...]] = []
    subjects: list[str] = []
    for loan in page:
        payload = exact_json.dumps(loan)
        digest = hashlib.md5(payload.encode(), usedforsecurity=False).hexdigest()
        before = latest.get(loan["id"])
        if before and before["payload_md5"] == digest:
            continue
        rows.append(
            (
                loan["id"],
                loan.get("externalId"),
                loan["loanProductId"],
                loan["status"]["id"],
                payload,
                digest,
                run.label,
            )
        )
        subjects += _canonical_ids(loan, before)
    if rows:
        conn.cursor().executemany(_INSERT, rows)
        record_changes(conn, "loan", subjects)
    return len(rows)


def _canonical_ids(loan: Json, before: Row | None) -> list[str]:
    """The ids under which payments may look for this loan: the present one and the one it had."""
    external_ids = [loan.get("externalId"), before["external_id"] if before else None]
    return [canonical_loan_id(external_id) for external_id in external_ids if external_id]


def loan_addresses(conn: WarehouseConnection, loan_ids: Iterable[str]) -> dict[str, LoanAddress]:
    """Where to find loans in Fineract, by canonical loan id: as last listed, else under the canonical id itself."""
    addresses = {loan_id: LoanAddress(loan_id) for loan_id in loan_ids}
    for row in conn.execute(_ADDRESSES, (list(addresses),)):
        addresses[row["loan_id"]] = LoanAddress(row["external_id"], row["fineract_loan_id"])
    return addresses
