"""Drift: what core_loan_master says of a loan against what Fineract says now. Each that differs is an open exception.

The master follows snapshots, operations and our own postings; whatever was done past them shows here before the day's
snapshot hides it. Money posted since a loan's last snapshot is taken off the master's outstanding first.
"""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.fineract.client import FineractClient, Json
from turno_lms.fineract.repayments import iso_date
from turno_lms.los.statements import STATEMENTS
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

_SETTLED = frozenset({600, 601, 602, 700})
_CLOSE = """
update core.core_recon_exception
set state = 'cleared', closed_at = now(), closed_by = %s, close_reason = 'the loan master and Fineract agree again'
where kind = %s and state = 'open' and subject = any(%s)
"""
_OPEN = """
insert into core.core_recon_exception (kind, subject, lender, loan_id, detail, opened_by_run)
values (%s, %s, %s, %s, %s, %s)
on conflict (kind, subject) where state = 'open' do update set detail = excluded.detail
"""


@dataclass
class DriftReport:
    """Loans compared, loans that Fineract has and the master not yet, and how many differ, by field."""

    loans: int = 0
    not_in_master: int = 0
    drifted: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """For XCom."""
        counts = {"loans": self.loans, "not_in_master": self.not_in_master, "drifted": self.drifted}
        return {**counts, "fields": dict(self.fields)}


def report_drift(conn: WarehouseConnection, client: FineractClient, run: RunContext) -> DriftReport:
    """Compare every loan that Fineract lists, page by page; open and clear exceptions. Run twice: the same."""
    report = DriftReport()
    if not is_built(conn, "core.core_loan_master"):
        return report
    for page in client.loan_pages():
        numbers = [loan["id"] for loan in page]
        with conn.transaction():
            rows = {
                row["fineract_loan_id"]: row
                for row in conn.execute(STATEMENTS["expected_loans"], {"numbers": numbers})
            }
            found = {loan["id"]: _differences(rows[loan["id"]], loan) for loan in page if loan["id"] in rows}
            _record(conn, page, rows, found, run)
        report.loans += len(found)
        report.not_in_master += len(page) - len(found)
        report.drifted += sum(map(bool, found.values()))
        report.fields.update(name for differences in found.values() for name in differences)
    return report


def _differences(expected: Row, loan: Json) -> dict[str, dict[str, str]]:
    timeline, summary = loan.get("timeline") or {}, loan.get("summary") or {}
    status = loan["status"]["id"]
    actual: dict[str, Any] = {
        "loan_id": canonical_loan_id(loan.get("externalId") or "") or None,
        "product_id": loan.get("loanProductId"),
        "client_id": loan.get("clientId"),
        "status_id": status,
        "principal": _rupees(loan.get("principal")),
        "disbursed_on": iso_date(timeline.get("actualDisbursementDate")),
        "closed_on": iso_date(timeline.get("closedOnDate")),
        "total_outstanding": _rupees(summary.get("totalOutstanding")),
    }
    wanted = dict(expected)
    if expected["posted_since"] and status in _SETTLED:
        # our own money closed it since: what the master will say with the next snapshot
        wanted |= {name: actual[name] for name in ("status_id", "closed_on")}
        wanted["total_outstanding"] = max(expected["total_outstanding"], Decimal(0))
    return {
        name: {"loan_master": str(wanted[name]), "fineract": str(value)}
        for name, value in actual.items()
        if wanted[name] != value
    }


def _rupees(value: Any) -> Decimal:
    return Decimal(value or 0).quantize(Decimal("0.01"))


def _record(
    conn: WarehouseConnection,
    page: list[Json],
    rows: dict[int, Row],
    found: dict[int, dict[str, dict[str, str]]],
    run: RunContext,
) -> None:
    healed = [_subject(loan) for loan in page if not found.get(loan["id"])]
    conn.execute(_CLOSE, (run.label, ExceptionKind.LOAN_DRIFT, healed))
    for loan in page:
        differences = found.get(loan["id"])
        if differences:
            expected = rows[loan["id"]]
            values = (
                ExceptionKind.LOAN_DRIFT, _subject(loan), expected["lender"], expected["loan_id"], Jsonb(differences),
                run.label,
            )  # fmt: skip
            conn.execute(_OPEN, values)


def _subject(loan: Json) -> str:
    return f"loan {loan['id']}"
