"""The demo's closing table, for a person: plain text, rupees grouped the Indian way."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from local_stack.demo.airflow_api import FailedTask
from local_stack.demo.figures import Figures
from turno_lms.domain.money import indian_rupees, paise_to_rupees
from turno_lms.warehouse.connection import Row

_NUMBERS = (int, Decimal)
_MOST_RUNS = 3


def render(figures: Figures, built_by: str) -> str:
    """Every section of the table; `built_by` is the DAG run that last built the transactions."""
    sections = [
        ("Lender files (rows)", _files(figures)),
        ("Lender files (rupees)", _file_rupees(figures)),
        ("UMRN master", _mandates(figures)),
        ("Files that were not loaded", _refused(figures)),
        ("Rows that were not accepted", _reasons(figures)),
        ("Webhooks stored by the receiver", _webhooks(figures)),
        ("Payments and what became of them", _transactions(figures, built_by)),
        ("Posted repayments: the ledger against Fineract itself", _ledger(figures)),
        ("Proof, transaction by transaction", _proof(figures)),
        ("Reconciliation of files with gateways", _reconciliation(figures, built_by)),
        ("Payment links and their money", _links(figures)),
        ("Open exceptions", _exceptions(figures)),
    ]
    return "\n\n".join(f"{title}\n{_table(rows)}" for title, rows in sections if len(rows) > 1)


def render_failures(tasks: Iterable[FailedTask]) -> str:
    """The tasks that failed on the way, each with the end of its log."""
    return "\n\n".join(_failure(task) for task in tasks)


def _failure(task: FailedTask) -> str:
    place = f"{task.run.label} {task.task_id}{f' [{task.label}]' if task.label else ''}"
    return "\n  ".join([f"{place} failed. The end of its log:", *task.log_tail])


def _files(figures: Figures) -> list[Sequence[object]]:
    headings = ("lender", "file", "state", "read", "accepted", "filtered", "duplicate", "rejected", "DAG run")
    return [
        headings,
        *(_picked(file, "lender", "file", "state", *headings[3:8], "run") for file in figures.files),
    ]


def _file_rupees(figures: Figures) -> list[Sequence[object]]:
    parts = ("read", "accepted", "filtered", "duplicate", "rejected")
    headings = ("lender", "file", *parts, "amounts not readable")
    loaded = [file for file in figures.files if file["read"]]
    return [
        headings,
        *((*_picked(file, "lender", "file"), *_paise(file, parts), file["unreadable"]) for file in loaded),
    ]


def _paise(file: Row, parts: Iterable[str]) -> list[Decimal]:
    return [paise_to_rupees(file[f"paise_{part}"]) for part in parts]


def _refused(figures: Figures) -> list[Sequence[object]]:
    headings = ("lender", "state", "reason", "message")
    bad = [file for file in figures.files if file["error_code"]]
    return [headings, *(_picked(file, "lender", "state", "error_code", "error_message") for file in bad)]


def _mandates(figures: Figures) -> list[Sequence[object]]:
    headings = ("lender", "mandates", "loans", "DAG run")
    return [headings, *((*_picked(row, *headings[:3]), _runs(row)) for row in figures.mandates)]


def _reasons(figures: Figures) -> list[Sequence[object]]:
    names = ("lender", "disposition", "reason", "rows")
    return [names, *(_picked(row, *names) for row in figures.reasons)]


def _webhooks(figures: Figures) -> list[Sequence[object]]:
    names = ("lender", "events", "payments")
    return [names, *(_picked(row, *names) for row in figures.webhooks)]


def _transactions(figures: Figures, built_by: str) -> list[Sequence[object]]:
    headings = ("lender", "fate", "payments", "rupees", "DAG run")
    return [
        headings,
        *((*_picked(row, *headings[:4]), _runs(row) or built_by) for row in figures.transactions),
    ]


def _ledger(figures: Figures) -> list[Sequence[object]]:
    ledger = {row["lender"]: row for row in figures.transactions if row["fate"] == "posted"}
    headings = ("lender", "posted (ledger)", "rupees (ledger)", "repayments (Fineract)", "rupees (Fineract)")
    return [
        headings,
        *(
            (
                row["lender"],
                *_picked(ledger.get(row["lender"], {}), "payments", "rupees"),
                row["payments"],
                row["rupees"],
            )
            for row in figures.fineract
        ),
    ]


def _proof(figures: Figures) -> list[Sequence[object]]:
    headings = ("loans compared", "our repayments in Fineract", "what does not tie")
    return [headings, (figures.proved_loans, figures.proved_transactions, len(figures.untied))]


def _reconciliation(figures: Figures, built_by: str) -> list[Sequence[object]]:
    headings = ("lender", "status", "payments", "DAG run")
    return [
        headings,
        *((*_picked(row, *headings[:3]), _runs(row) or built_by) for row in figures.reconciliation),
    ]


def _links(figures: Figures) -> list[Sequence[object]]:
    headings = ("lender", "state", "links", "rupees", "paid")
    return [headings, *(_picked(row, *headings) for row in figures.links)]


def _exceptions(figures: Figures) -> list[Sequence[object]]:
    headings = ("lender", "kind", "exceptions", "rupees", "DAG run")
    return [headings, *((*_picked(row, *headings[:4]), _runs(row)) for row in figures.exceptions)]


def _picked(row: Row, *names: str) -> tuple[object, ...]:
    return tuple(row.get(name, 0) for name in names)


def _runs(row: Row) -> str:
    runs = sorted(row["runs"])
    more = f" and {len(runs) - _MOST_RUNS} more" if len(runs) > _MOST_RUNS else ""
    return ", ".join(runs[:_MOST_RUNS]) + more


def _table(rows: Sequence[Sequence[object]]) -> str:
    """Columns as wide as their longest cell, numbers to the right."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    right = [isinstance(cell, _NUMBERS) for cell in rows[-1]]
    lines = [
        "  ".join(
            _aligned(cell, width, to_right) for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in texts
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def _text(cell: object) -> str:
    return indian_rupees(cell) if isinstance(cell, Decimal) else " ".join(str(cell).split())


def _aligned(cell: str, width: int, to_right: bool) -> str:
    return cell.rjust(width) if to_right else cell.ljust(width)
