"""From a file's text rows to exactly one disposition per row: the one transform behind preview and load.

Nothing here knows a database, a clock or a run. Whatever is not accepted keeps its raw text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from turno_lms.domain.states import Disposition
from turno_lms.ingestion.duplicates import SeenReferences, repeats_row
from turno_lms.ingestion.frames import PAYMENT_COLUMNS, FrameBuilder
from turno_lms.ingestion.tables import Chunk, Headings
from turno_lms.ingestion.verdicts import Explainer, Verdict, rules
from turno_lms.lenders.schema import FileKind, Lender

if TYPE_CHECKING:
    import polars as pl


@dataclass
class Tally:
    """Rows and their rupees, in paise. A row whose amount cannot be read counts in `unreadable` and adds no paise."""

    rows: int = 0
    paise: int = 0
    unreadable: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.paise + other.paise, self.unreadable + other.unreadable)


@dataclass(frozen=True)
class SetAside:
    """A row that is not accepted, and why."""

    row_number: int
    verdict: Verdict
    message: str
    amount_paise: int | None
    raw_text: str
    loan_id: str | None = None
    business_date: date | None = None
    """Loan and business date where the row's own cells can be read; None says nothing about the others."""


@dataclass(frozen=True)
class Judged:
    """One chunk after judgement."""

    read: Tally
    """The payment rows as read, counted before any of them is judged."""
    layout_rows: int
    accepted: pl.DataFrame
    """`row_number` and PAYMENT_COLUMNS."""
    set_aside: list[SetAside]

    def aside(self, disposition: Disposition) -> Tally:
        """The rows set aside in one way, and their rupees."""
        paise = [row.amount_paise for row in self.set_aside if row.verdict.disposition is disposition]
        return Tally(len(paise), sum(amount or 0 for amount in paise), paise.count(None))


class Transform:
    """The transform of one file; takes its chunks in order."""

    def __init__(self, lender: Lender, kind: FileKind, headings: Headings) -> None:
        import polars as pl

        self._builder = FrameBuilder(lender, kind, headings)
        self._seen = SeenReferences()
        decided = rules(lender, kind)
        self._verdicts = [verdict for _, verdict in decided]
        self._verdict = pl.coalesce(
            pl.when(holds).then(pl.lit(i, pl.UInt16)) for i, (holds, _) in enumerate(decided)
        )
        widths = self._builder.cells_needed, self._builder.cells_headed
        self._explainer = Explainer(lender, kind, headings.names, *widths)

    def judge(self, chunk: Chunk) -> Judged:
        """Give every payment row of the chunk its one disposition."""
        import polars as pl

        frame, layout_rows = self._builder.build(chunk)
        read = Tally(frame.height, int(frame["amount"].sum()), frame["amount"].null_count())
        frame = frame.lazy().with_columns(self._verdict.alias("_verdict")).collect()
        accepted, repeated = self._seen.split(frame.filter(pl.col("_verdict").is_null()))
        failed = frame.filter(pl.col("_verdict").is_not_null())
        set_aside = [*self._failed(failed, chunk), *self._repeated(repeated, chunk)]
        set_aside.sort(key=lambda row: row.row_number)
        return Judged(read, layout_rows, self._payments(accepted), set_aside)

    def _payments(self, accepted: pl.DataFrame) -> pl.DataFrame:
        return self._builder.with_remarks(accepted).select("row_number", *PAYMENT_COLUMNS)

    def _failed(self, rows: pl.DataFrame, chunk: Chunk) -> Iterator[SetAside]:
        for row, text in _with_texts(rows, chunk):
            verdict = self._verdicts[row["_verdict"]]
            cells = len(chunk.row(row["row_number"])) if verdict.field is None else 0
            yield _set_aside(row, text, verdict, self._explainer.message(verdict, row, cells))

    def _repeated(self, rows: pl.DataFrame, chunk: Chunk) -> Iterator[SetAside]:
        for row, text in _with_texts(rows, chunk):
            verdict, message = repeats_row(
                row["payment_id"], row["first_row"], same_payment=row["same_payment"]
            )
            yield _set_aside(row, text, verdict, message)


def _with_texts(rows: pl.DataFrame, chunk: Chunk) -> Iterator[tuple[dict[str, Any], str]]:
    return zip(rows.iter_rows(named=True), chunk.raw_texts(rows["row_number"].to_list()), strict=True)


def _set_aside(row: dict[str, Any], text: str, verdict: Verdict, message: str) -> SetAside:
    return SetAside(row["row_number"], verdict, message, row["amount"], text, row["loan_id"], row["date"])
