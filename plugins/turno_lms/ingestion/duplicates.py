"""Rows with a source reference seen before: the same payment again is a duplicate, another payment an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turno_lms.domain.states import Disposition, RowReason
from turno_lms.ingestion.verdicts import Verdict

if TYPE_CHECKING:
    import polars as pl

_REFERENCE = ("_reference_a", "_reference_b")
_DIGESTS = (*_REFERENCE, "_content")

_IN_FILE = Verdict(Disposition.DUPLICATE, RowReason.DUPLICATE_IN_FILE, "references.in_file", "payment_id")
_EARLIER = Verdict(
    Disposition.DUPLICATE, RowReason.DUPLICATE_OF_EARLIER_FILE, "references.earlier_files", "payment_id"
)
_REUSED_IN_FILE = Verdict(
    Disposition.REJECTED, RowReason.REFERENCE_REUSED, "references.in_file", "payment_id"
)
_REUSED_EARLIER = Verdict(
    Disposition.REJECTED, RowReason.REFERENCE_REUSED, "references.earlier_files", "payment_id"
)
_SAME_ROW = Verdict(Disposition.DUPLICATE, RowReason.DUPLICATE_OF_EARLIER_FILE, "versions.same_row", None)
_CHANGED_ROW = Verdict(Disposition.REJECTED, RowReason.CHANGED_SINCE_LOADED, "versions.changed_row", None)


def repeats_row(reference: str, first_row: int, *, same_payment: bool) -> tuple[Verdict, str]:
    """Verdict and message on a row that carries the reference of a row further up."""
    verdict = _IN_FILE if same_payment else _REUSED_IN_FILE
    return verdict, _message(reference, f"row {first_row}", same_payment)


def repeats_earlier_file(
    reference: str, key: str, first_row: int, *, same_payment: bool
) -> tuple[Verdict, str]:
    """Verdict and message on a row that carries the reference of a row loaded from an earlier file."""
    verdict = _EARLIER if same_payment else _REUSED_EARLIER
    return verdict, _message(reference, f"row {first_row} of {key}", same_payment)


def repeats_earlier_version(
    key: str, first_row: int, first: str, *, same_payment: bool
) -> tuple[Verdict, str]:
    """Verdict and message on a row of a resent file, beside the row of the version before that it is or replaces.

    `first` tells what that row pays.
    """
    if same_payment:
        return _SAME_ROW, f"the version of {key} loaded before has this payment in row {first_row}"
    message = (
        f"in the version of {key} loaded before, row {first_row} pays {first} for this loan, and this version lacks "
        "it: a correction of that row, or other money? It is not loaded until a person says so"
    )
    return _CHANGED_ROW, message


def _message(reference: str, where: str, same_payment: bool) -> str:
    if same_payment:
        return f"reference {reference} stands in {where} already, for the same loan, date and amount"
    return f"reference {reference} stands in {where} for another loan, date or amount: ask the lender which is right"


class SeenReferences:
    """Remembers the references of a file's accepted rows: the first row of each, and a digest of what it pays.

    Digests instead of texts keep five million references in some 150 MB. A reference's digest has 128 bits, so two
    references of one file that share it are not to be expected in the life of the system.
    """

    def __init__(self) -> None:
        import polars as pl

        hashes = dict.fromkeys(_DIGESTS, pl.UInt64)
        self._firsts = pl.DataFrame(schema={**hashes, "first_row": pl.Int32})

    def split(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Split rows into those whose reference is new (or blank: blanks are never equal) and those that repeat one.

        The repeating rows get `first_row`, the row they repeat, and `same_payment`: whether loan, date and amount
        agree.
        """
        import polars as pl

        referenced = rows.lazy().filter(pl.col("payment_id").is_not_null()).with_columns(_digests()).collect()
        mine = referenced.select(*_DIGESTS, pl.col("row_number").alias("first_row"))
        known = self._firsts.filter(pl.col(_REFERENCE[0]).is_in(mine[_REFERENCE[0]].implode()))
        # half a digest that stands nowhere else settles a row: only the few others are compared
        open_question = pl.col(_REFERENCE[0]).is_duplicated() | pl.col(_REFERENCE[0]).is_in(
            known[_REFERENCE[0]].implode()
        )
        firsts = pl.concat([known, mine.filter(open_question)]).unique(
            subset=_REFERENCE, keep="first", maintain_order=True
        )
        compared = referenced.filter(open_question).join(
            firsts, on=_REFERENCE, how="left", suffix="_first", maintain_order="left"
        )
        repeated = compared.filter(pl.col("first_row") != pl.col("row_number")).select(
            *rows.columns, "first_row", (pl.col("_content") == pl.col("_content_first")).alias("same_payment")
        )
        is_repeated = pl.col("row_number").is_in(repeated["row_number"].implode())
        new = mine.filter(~pl.col("first_row").is_in(repeated["row_number"].implode()))
        self._firsts = pl.concat([self._firsts, new], rechunk=False)
        return rows.filter(~is_repeated), repeated


def _digests() -> list[pl.Expr]:
    import polars as pl

    # what takes a payment back carries its reference, and is not that payment again
    is_reversal = pl.col("status").eq_missing(pl.lit("reversed")).cast(pl.String)
    reference = pl.concat_str("payment_id", is_reversal, separator="|")
    payment = pl.concat_str(
        pl.coalesce("umrn", "loan_id"),
        pl.col("date").cast(pl.String),
        "amount",
        separator="|",
    )
    return [
        reference.hash(seed=0).alias(_REFERENCE[0]),
        reference.hash(seed=1).alias(_REFERENCE[1]),
        payment.hash().alias("_content"),
    ]
