"""What a sample would become, by the production path and without a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turno_lms.domain.money import canonical_amount, paise_to_rupees
from turno_lms.domain.states import Disposition, FileError, FileState
from turno_lms.ingestion.control_totals import check_control_totals
from turno_lms.ingestion.mandates import (
    Mandate,
    MandateError,
    MandateHistory,
    by_start,
    cells_of,
    read_headings,
    read_mandate,
)
from turno_lms.ingestion.readers import open_table, text_records
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import ROWS_TO_SEARCH, NumberedRow
from turno_lms.ingestion.transform import SetAside, Tally, Transform
from turno_lms.lenders.formats import CsvFormat
from turno_lms.lenders.schema import Lender

if TYPE_CHECKING:
    import polars as pl

Fate = dict[str, Any]


@dataclass(frozen=True)
class Preview:
    """The fate of every row of a sample, and of the sample as a whole."""

    rows: list[Fate]
    summary: dict[str, Any]


def preview(lender: Lender, kind_name: str, sample: Path, umrn_master: Path | None = None) -> Preview:
    """Judge a sample as a load into an empty warehouse would.

    `umrn_master` is a CSV of mandates; without it loans addressed by UMRN stay unresolved. The summary's `unchecked`
    lists what only a warehouse can tell. A refused sample has no rows and says why.
    """
    mandates = _mandates(umrn_master) if umrn_master else MandateHistory()
    unchecked = [
        "references of earlier files",
        "headings of the last file",
        *([] if umrn_master else ["loans of UMRNs"]),
    ]
    base = {
        "sample": sample.name,
        "lender": lender.slug,
        "kind": kind_name,
        "mapping_version": lender.mapping_version,
    }
    try:
        rows, counts = _fates(lender, kind_name, sample, mandates)
    except FileRefusedError as refusal:
        state = {"state": FileState.REFUSED, "error_code": refusal.code, "error_message": refusal.message}
        return Preview([], {**base, **state, "unchecked": unchecked})
    return Preview(rows, {**base, **counts, "unchecked": unchecked})


def _fates(
    lender: Lender, kind_name: str, sample: Path, mandates: MandateHistory
) -> tuple[list[Fate], dict[str, Any]]:
    kind = lender.files[kind_name]
    table = open_table(sample, kind, sample.name)
    transform = Transform(lender, kind, table.headings)
    rows: list[Fate] = []
    read, filtered, rejected, layout_rows = Tally(), Tally(), Tally(), 0
    for chunk in table.chunks:
        judged = transform.judge(chunk)
        read, layout_rows = read + judged.read, layout_rows + judged.layout_rows
        filtered += judged.aside(Disposition.FILTERED)
        rejected += judged.aside(Disposition.REJECTED)
        fates = [*_accepted(judged.accepted, lender.slug, mandates), *map(_not_accepted, judged.set_aside)]
        rows.extend(sorted(fates, key=lambda fate: fate["row"]))
    check_control_totals(kind, table.headings.values, read, filtered, sample.name)
    counts = {f"rows_{part}": sum(row["fate"] == part for row in rows) for part in Disposition}
    return rows, {
        **_state(kind.thresholds.halts(rejected.rows, read.rows, rejected.paise), read.rows),
        "rows_layout": layout_rows,
        "rows_read": read.rows,
        **counts,
        "rows_amount_unreadable": read.unreadable,
        "rupees_read": str(paise_to_rupees(read.paise)),
    }


def _state(halted: bool, rows: int) -> dict[str, Any]:
    if halted:
        return {"state": FileState.HALTED, "error_code": FileError.TOO_MANY_REJECTS}
    return {"state": FileState.LOADED if rows else FileState.LOADED_EMPTY, "error_code": None}


def _accepted(rows: pl.DataFrame, lender: str, mandates: MandateHistory) -> Iterator[Fate]:
    for row in rows.iter_rows(named=True):
        loan_id = row["loan_id"] or mandates.loan_on(row["umrn"], lender, row["date"])
        yield {
            "row": row["row_number"],
            "fate": str(Disposition.ACCEPTED),
            "reason": None,
            "loan_id": loan_id,
            "umrn": row["umrn"],
            "amount": canonical_amount(paise_to_rupees(row["amount"])),
            "date": row["date"].isoformat(),
            "status": row["status"],
            "charge": None if row["charge"] is None else canonical_amount(paise_to_rupees(row["charge"])),
            "note": row["note"],
            "payment_id": row["payment_id"],
            "sub_reference_id": row["sub_reference_id"],
        }


def _not_accepted(row: SetAside) -> Fate:
    verdict = row.verdict
    return {
        "row": row.row_number,
        "fate": str(verdict.disposition),
        "reason": str(verdict.reason),
        "loan_id": row.loan_id,
        "amount": None if row.amount_paise is None else canonical_amount(paise_to_rupees(row.amount_paise)),
        "date": None if row.business_date is None else row.business_date.isoformat(),
        "rule": verdict.rule,
        "field": verdict.field,
        "message": row.message,
        "raw_text": row.raw_text,
    }


def _mandates(path: Path) -> MandateHistory:
    """The history a load of this file into an empty master would give; rows that cannot be taken are left out."""
    records = list(text_records(path, CsvFormat(type="csv"), path.name))
    heading_row, positions = read_headings(islice(records, ROWS_TO_SEARCH), path.name)
    history = MandateHistory()
    for _, mandate in by_start(_readable(records[heading_row:], positions)):
        with suppress(MandateError):
            history.add(mandate)
    return history


def _readable(records: Iterable[NumberedRow], positions: dict[str, int]) -> Iterator[tuple[int, Mandate]]:
    for number, record in records:
        with suppress(MandateError):
            yield number, read_mandate(cells_of(record, positions))
