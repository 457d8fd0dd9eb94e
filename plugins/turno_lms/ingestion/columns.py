"""How each type of column is read: expressions from a cell's text to its value, null where the text is no such value.

All vectorised, and exact: amounts become integer paise by way of decimals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from turno_lms.domain.states import RowReason
from turno_lms.lenders.date_formats import EXCEL_SERIAL, format_pattern, has_time
from turno_lms.lenders.expressions import Amount, Constant, Formula, Multiple
from turno_lms.lenders.schema import (
    UMRN_PATTERN,
    AmountColumn,
    AnyColumn,
    DateColumn,
    LoanIdColumn,
    StatusColumn,
    TextColumn,
    UmrnColumn,
)

if TYPE_CHECKING:
    import polars as pl

REFERENCES = ("payment_id", "sub_reference_id")
BAD_VALUE_REASON = {
    "amount": RowReason.BAD_AMOUNT,
    "date": RowReason.BAD_DATE,
    "status": RowReason.UNKNOWN_STATUS,
    "loan_id": RowReason.BAD_LOAN_ID,
    "umrn": RowReason.BAD_UMRN,
    "text": RowReason.BAD_VALUE,
}
"""What a text is rejected for that has no value of its column's type."""

MAX_PAISE = 10**12
"""Below a thousand crore rupees a row: more is a damaged cell, and five million such rows still add up in 64 bits."""

_WHOLE = {
    "none": r"\d{1,13}",
    "indian": r"(?:\d{1,13}|\d{1,2}(?:,\d{2}){0,3},\d{3})",
    "western": r"(?:\d{1,13}|\d{1,3}(?:,\d{3}){1,3})",
}
_RUPEE_MARK = r"(?i)^(?:₹|rs\.?|inr)\s*"
_GUARD = r"""^(?:'|="?)|"$"""  # spreadsheets keep a number as text behind ' or as ="..."
_SCIENTIFIC = r"^\d(?:\.\d+)?[Ee]\+?\d+$"
_FIRST_YEAR, _LAST_YEAR = 2000, 2099


def cell(position: str) -> pl.Expr:
    """The cell's text with blanks (no-break ones too) trimmed; null when nothing is left."""
    import polars as pl

    trimmed = pl.col(position).str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def written(name: str, column: AnyColumn) -> pl.Expr:
    """What a cell says before it is judged: placeholders, and references a spreadsheet has destroyed, are blank."""
    import polars as pl

    text = pl.col(name)
    if column.type == "text" and column.blanks:
        text = pl.when(~text.is_in(column.blanks)).then(text)
    if name in REFERENCES:
        unguarded = text.str.replace_all(_GUARD, "").str.strip_chars()
        text = pl.when((unguarded != "") & ~unguarded.str.contains(_SCIENTIFIC)).then(unguarded)
    return text


def value(name: str, column: AnyColumn, *, loan_id_pattern: str, iso_dates: bool) -> pl.Expr:
    """The value in `written` text: paise, a date, a canonical id or text; null where it is none.

    `iso_dates` allows 2026-01-05 beside the mapping's formats: what a workbook's real date cells read as.
    """
    import polars as pl

    text = pl.col(name)
    if isinstance(column, AmountColumn):
        paise = _paise(text, column)
        return paise if column.required else pl.when(text.is_null()).then(0).otherwise(paise)
    if isinstance(column, DateColumn):
        iso = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S") if iso_dates else ()
        return _date(text, (*iso, *column.formats))
    if isinstance(column, StatusColumn):
        return _status(text, column)
    if isinstance(column, UmrnColumn):
        compact = text.str.replace_all(_GUARD, "").str.replace_all(r"\s", "").str.to_uppercase()
        return pl.when(compact.str.contains(f"^{UMRN_PATTERN}$")).then(compact)
    if isinstance(column, LoanIdColumn):
        return _loan_id(text, column, loan_id_pattern)
    return _text(text, column)


def loans_named(name: str, loan_id_pattern: str) -> pl.Expr:
    """How many different loans a narration names."""
    import polars as pl

    return _loans_in(pl.col(name), loan_id_pattern).list.len()


def computed(formula: Formula) -> pl.Expr:
    """The paise that a mapping's `compute` gives; null where a part is unreadable or the result out of range."""
    import polars as pl

    paise = _formula_paise(formula)
    return pl.when(paise.abs() < MAX_PAISE).then(paise)


def _formula_paise(formula: Formula) -> pl.Expr:
    import polars as pl

    if isinstance(formula, Amount):
        return pl.col(formula.name)
    if isinstance(formula, Constant):
        return pl.lit(formula.paise, dtype=pl.Int64)
    if isinstance(formula, Multiple):
        return _formula_paise(formula.of) * formula.times
    left, right = _formula_paise(formula.left), _formula_paise(formula.right)
    return left + right if formula.operator == "+" else left - right


def rupee_text(name: str) -> pl.Expr:
    """Paise as canonical text: rupees with exactly two decimals, no grouping."""
    import polars as pl

    paise = pl.col(name)
    sign = pl.when(paise < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    digits = paise.abs().cast(pl.String).str.zfill(3)
    return (sign + digits.str.head(-2) + "." + digits.str.tail(2)).alias(name)


def _paise(text: pl.Expr, column: AmountColumn) -> pl.Expr:
    import polars as pl

    bare = text.str.replace_all(_RUPEE_MARK, "")
    negative = bare.str.contains(r"^-|^\(.*\)$")
    digits = bare.str.replace_all(r"^-|^\((.*)\)$", "$1").str.strip_chars()
    fraction = "" if column.unit == "paise" else r"(?:\.\d{1,2}0{0,8})?"
    readable = digits.str.contains(f"^{_WHOLE[column.grouping]}{fraction}$")
    number = digits.str.replace_all(",", "", literal=True).str.to_decimal(scale=2)
    paise = (number if column.unit == "paise" else number * 100).cast(pl.Int64, strict=False)
    return pl.when(readable & (paise < MAX_PAISE)).then(pl.when(negative).then(-paise).otherwise(paise))


def _date(text: pl.Expr, formats: tuple[str, ...]) -> pl.Expr:
    import polars as pl

    day = pl.coalesce(
        _serial_date(text) if name == EXCEL_SERIAL else _formatted_date(text, name) for name in formats
    )
    return pl.when(day.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(day)


def _formatted_date(text: pl.Expr, date_format: str) -> pl.Expr:
    import polars as pl

    fitting = pl.when(text.str.contains(f"^{format_pattern(date_format)}$")).then(text)
    if has_time(date_format):
        return fitting.str.to_datetime(date_format, strict=False).dt.date()
    return fitting.str.to_date(date_format, strict=False)


def _serial_date(text: pl.Expr) -> pl.Expr:
    import polars as pl

    days = text.str.extract(r"^(\d{5})(?:\.\d+)?$").cast(pl.Int64)
    return pl.date(1899, 12, 30) + pl.duration(days=days)


def _status(text: pl.Expr, column: StatusColumn) -> pl.Expr:
    import polars as pl

    meanings = {
        " ".join(said.split()).lower(): status for status, texts in column.values.items() for said in texts
    }
    plain = text.str.replace_all(r"\s+", " ").str.to_lowercase()
    return plain.replace_strict(meanings, default=None, return_dtype=pl.String)


def _loan_id(text: pl.Expr, column: LoanIdColumn, loan_id_pattern: str) -> pl.Expr:
    import polars as pl

    if column.within_text:
        loans = _loans_in(text, loan_id_pattern)
        return pl.when(loans.list.len() == 1).then(loans.list.first())
    if column.split:
        text = text.str.split(column.split.separator).list.get(column.split.part - 1, null_on_oob=True)
    loan = text.str.replace_all(_GUARD, "").str.strip_chars().str.to_uppercase()
    return pl.when(loan.str.contains(f"^(?:{loan_id_pattern})$")).then(loan)


def _loans_in(text: pl.Expr, loan_id_pattern: str) -> pl.Expr:
    """The different loan ids inside a narration; `_` is taken for a blank, since it would count as part of a word."""
    words = text.str.to_uppercase().str.replace_all("_", " ", literal=True)
    return words.str.extract_all(rf"\b(?:{loan_id_pattern})\b").list.unique()


def _text(text: pl.Expr, column: TextColumn) -> pl.Expr:
    import polars as pl

    plain = text.str.replace_all(r"\s+", " ")
    allowed = ~plain.str.contains("\0", literal=True)
    if column.one_of:
        allowed = allowed & plain.str.to_lowercase().is_in([choice.lower() for choice in column.one_of])
    return pl.when(allowed).then(plain)
