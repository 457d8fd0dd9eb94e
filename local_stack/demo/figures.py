"""The figures of the closing table, read from the warehouse and from Fineract, and whether they tie."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from local_stack.demo import queries
from local_stack.demo.loan_book import RUN
from local_stack.sample_data.book import ALL_LOANS, Loan
from turno_lms.domain.money import indian_rupees
from turno_lms.fineract.audit import DatabaseAudit
from turno_lms.fineract.hook import FineractHook
from turno_lms.posting.proof import ProofReport, find_files_that_do_not_tie, prove
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, warehouse_url

_THREADS = 4
_UNEXPLAINED = "unexplained"


@dataclass(frozen=True)
class Figures:
    """All figures at one moment. `untied` says in words what does not tie: empty when all does."""

    files: list[Row]
    mandates: list[Row]
    reasons: list[Row]
    webhooks: list[Row]
    transactions: list[Row]
    reconciliation: list[Row]
    exceptions: list[Row]
    links: list[Row]
    fineract: list[Row]
    unexplained: int
    proved_loans: int
    proved_transactions: int
    untied: list[str]

    @property
    def rows_read(self) -> int:
        """Rows of all lender files."""
        return sum(file["read"] for file in self.files)

    @property
    def posted(self) -> int:
        """Repayments that the ledger says were posted."""
        return sum(row["payments"] for row in self.transactions if row["fate"] == "posted")

    def to_dict(self) -> dict[str, Any]:
        """For the report file; rupees as text."""
        return {**self.__dict__, "rows": self.rows_read, "posted": self.posted}


def collect_figures(conn: WarehouseConnection) -> Figures:
    """Read every figure once the pipelines have come to rest."""
    transactions = _rows(conn, queries.TRANSACTIONS)
    fineract = _by_lender(_repayments_in_fineract())
    unplaced = _rows(conn, queries.UNPLACED)[0]["count"]
    unexplained = unplaced + sum(row["payments"] for row in transactions if row["fate"] == _UNEXPLAINED)
    proof = _proof(conn)
    return Figures(
        files=_rows(conn, queries.FILES),
        mandates=_rows(conn, queries.MANDATES),
        reasons=_rows(conn, queries.REJECT_REASONS),
        webhooks=_rows(conn, queries.WEBHOOKS),
        transactions=transactions,
        reconciliation=_rows(conn, queries.RECONCILIATION),
        exceptions=_rows(conn, queries.EXCEPTIONS),
        links=_rows(conn, queries.LINKS),
        fineract=fineract,
        unexplained=unexplained,
        proved_loans=proof.loans,
        proved_transactions=proof.transactions,
        untied=[
            *find_files_that_do_not_tie(conn),
            *_sightings(conn),
            *_totals(transactions, fineract),
            *map(str, proof.differences),
            *([f"{unexplained} payments have neither an outcome nor a reason"] if unexplained else []),
        ],
    )


def _rows(conn: WarehouseConnection, query: str) -> list[Row]:
    found = conn.execute(query, ()).fetchall()
    conn.commit()
    return found


def _repayments_in_fineract() -> list[tuple[str, Decimal]]:
    """What Fineract itself holds: loan and rupees of every repayment that stands and carries an external id."""
    with ThreadPoolExecutor(_THREADS) as pool:
        shares = pool.map(_repayments_of, [ALL_LOANS[start::_THREADS] for start in range(_THREADS)])
        return [repayment for share in shares for repayment in share]


def _repayments_of(loans: Iterable[Loan]) -> list[tuple[str, Decimal]]:
    with closing(DatabaseAudit(warehouse_url(Role.POSTER), RUN)) as audit:
        client = FineractHook().client(audit)
        return [
            (loan.loan_id, Decimal(transaction["amount"]))
            for loan in loans
            for transaction in client.loan_transactions(loan.loan_id)
            if transaction["type"].get("repayment")
            and transaction.get("externalId")
            and not transaction.get("manuallyReversed")
        ]


def _by_lender(repayments: Iterable[tuple[str, Decimal]]) -> list[Row]:
    lenders = {loan.loan_id: loan.lender for loan in ALL_LOANS}
    amounts: dict[str, list[Decimal]] = defaultdict(list)
    for loan_id, amount in repayments:
        amounts[lenders[loan_id]].append(amount)
    return [
        {"lender": lender, "payments": len(amounts[lender]), "rupees": sum(amounts[lender])}
        for lender in sorted(amounts)
    ]


def _proof(conn: WarehouseConnection) -> ProofReport:
    with closing(DatabaseAudit(warehouse_url(Role.POSTER), RUN)) as audit:
        report = prove(conn, FineractHook().client(audit), None, RUN)
    conn.commit()
    return report


def _sightings(conn: WarehouseConnection) -> list[str]:
    row = _rows(conn, queries.SIGHTINGS)[0]
    if row["accepted"] == row["sightings"]:
        return []
    return [f"RAW holds {row['accepted']} accepted rows, but core has {row['sightings']} file sightings"]


def _totals(transactions: Iterable[Row], fineract: Iterable[Row]) -> list[str]:
    """The lenders whose posted repayments differ between ledger and Fineract in number or rupees."""
    ledger = {row["lender"]: row for row in transactions if row["fate"] == "posted"}
    there = {row["lender"]: row for row in fineract}
    return [
        f"{lender}: the ledger has {_total(ledger, lender)} posted, Fineract has {_total(there, lender)}"
        for lender in sorted(ledger.keys() | there.keys())
        if _total(ledger, lender) != _total(there, lender)
    ]


def _total(rows: Mapping[str, Row], lender: str) -> str:
    row = rows.get(lender, {"payments": 0, "rupees": Decimal(0)})
    return f"{row['payments']} repayments of {indian_rupees(row['rupees'])}"
