"""Loans as Fineract lists them, kept in raw.raw_fineract_loan_snapshot: one row more whenever a loan has changed.

Run twice: the second run appends nothing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import exact_json
from turno_lms.fineract.client import FineractClient, Json
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
