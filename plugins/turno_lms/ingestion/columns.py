"""How each type of column is read: expressions from a cell's text to its value, null where the text is no such value.

All vectorised, and exact: amounts become integer paise by way of decimals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from turno_lms.domain.spreadsheets import GUARD, ROUNDED
from turno_lms.domain.states import RowReason
from turno_lms.lenders.columns import (
    REFERENCES,
    AmountColumn,
    AnyColumn,
    DateColumn,
    LoanIdColumn,
    StatusColumn,
    Suffixes,
    TextColumn,
    UmrnColumn,
)
from turno_lms.lenders.date_formats import EPOCH_SECONDS, EXCEL_SERIAL, format_pattern, has_time, has_zone
from turno_lms.lenders.schema import UMRN_PATTERN

if TYPE_CHECKING:
    import polars as pl

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
_ONLY = r"\s*/-$"  # Rs. 5,499/-
_MINUS = r"^-|^\(.*\)$"
_PLAIN_IDENTIFIER = "^(?:[A-Z][A-Z0-9]*|[0-9]+)$"
_PLAIN_TEXT = "^[!-~]+$"
_INDIA, _UTC = "Asia/Kolkata", "UTC"
_FIRST_YEAR, _LAST_YEAR = 2000, 2099


def cell_text(cell: pl.Expr) -> pl.Expr:
    """A cell's text with blanks (no-break ones too) trimmed; null when nothing is left."""
    return _unless_empty(cell.str.strip_chars())


def written(name: str, blanks: Collection[str]) -> pl.Expr:
    """What a cell says before it is judged: its text, unless that is a placeholder for nothing."""
    import polars as pl

    return _without_blanks(pl.col(name), blanks)


def has_part(name: str, column: AnyColumn) -> bool:
    """Whether what is judged may differ from the text that stands there."""
    return column.takes_part or name in REFERENCES


def part(name: str, column: AnyColumn, *, is_reference: bool, blanks: Collection[str] = ()) -> pl.Expr:
    """What json, split and extract take out of the text `name`; null where one of them finds nothing.

    A reference also sheds a spreadsheet's guards, and is blank where the spreadsheet has rounded it: the payment stays.
    """
    import polars as pl

    text = pl.col(name)
    if is_reference and not column.takes_part:
        return _plainly_first(text, _plain_identifier, lambda one: _reference(one, blanks), pl.String())
    if column.json_key:
        text = text.str.json_path_match(f"$.{column.json_key}").str.strip_chars()
    if column.split:
        pieces = text.str.split(column.split.separator)
        piece = pieces.list.get(column.split.part - 1, null_on_oob=True).str.strip_chars()
        text = pl.when(pieces.list.len() > 1).then(piece)
    if column.extract:
        found = _matches(text, column.extract)
        text = pl.when(found.list.len() == 1).then(found.list.first())
    return _reference(text, blanks) if is_reference else _without_blanks(_unless_empty(text), blanks)


def _reference(text: pl.Expr, blanks: Collection[str]) -> pl.Expr:
    import polars as pl

    bare = text.str.replace_all(GUARD, "").str.strip_chars()
    exact = pl.when(~bare.str.contains(ROUNDED)).then(bare)
    return _without_blanks(_unless_empty(exact), blanks)


def _plain_identifier(text: pl.Expr) -> pl.Expr:
    """A text that nothing need be taken from or looked at twice: no guards, blanks, lower case or power of ten."""
    import polars as pl

    return pl.when(text.str.contains(_PLAIN_IDENTIFIER)).then(text)


def lost(name: str) -> pl.Expr:
    """A reference's text that a spreadsheet has rounded (5.02E+13); null for any other."""
    import polars as pl

    text = pl.col(name).str.replace_all(GUARD, "").str.strip_chars()
    return pl.when(text.str.contains(ROUNDED)).then(text)


def is_ambiguous(name: str, column: AnyColumn, *, loan_id_pattern: str) -> pl.Expr | None:
    """Whether the text `name` holds several different things where one is wanted; None where that cannot be."""
    import polars as pl

    text = pl.col(name)
    if isinstance(column, LoanIdColumn) and column.within_text:
        return _loans_in(text, loan_id_pattern).list.len() > 1
    if column.extract is None:
        return None
    before = column.model_copy(update={"extract": None})
    return _matches(part(name, before, is_reference=False), column.extract).list.len() > 1


def value(name: str, column: AnyColumn, *, loan_id_pattern: str, iso_dates: bool) -> pl.Expr:
    """The value in the text `name`: paise, a date, a canonical id or text; null where it is none.

    `iso_dates` allows 2026-01-05 beside the mapping's formats: what a workbook's real date cells read as.
    """
    import polars as pl

    text = pl.col(name)
    if isinstance(column, AmountColumn):
        paise = _paise(text, column)
        return paise if column.required else pl.when(text.is_null()).then(0).otherwise(paise)
    if isinstance(column, DateColumn):
        iso = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S") if iso_dates else ()
        formats = (*iso, *column.formats)
        return _each_once(text, lambda one: _date(one, formats, column.zone), pl.Date())
    if isinstance(column, StatusColumn):
        return _each_once(text, lambda one: _renamed(one, column.values), pl.String())
    if isinstance(column, UmrnColumn):
        return _identifier(text, UMRN_PATTERN)
    if isinstance(column, LoanIdColumn):
        return _loan_id(text, column, loan_id_pattern)
    return _text(text, column)


Reading = Callable[["pl.Expr"], "pl.Expr"]


def _plainly_first(text: pl.Expr, plain: Reading, thorough: Reading, dtype: pl.DataType) -> pl.Expr:
    """Read all texts the `plain` way, and only those it leaves null the `thorough` way.

    For speed alone: what the plain way reads, the thorough way must read alike (a property test).
    """

    def read(texts: pl.Series) -> pl.Series:
        values = _read(texts, plain)
        odd = (values.is_null() & texts.is_not_null()).arg_true()
        return values.scatter(odd, _read(texts.gather(odd), thorough)) if len(odd) else values

    return text.map_batches(read, return_dtype=dtype)


def _each_once(text: pl.Expr, reading: Reading, dtype: pl.DataType) -> pl.Expr:
    """Read every different text once, where most of them stand there many times."""

    def read(texts: pl.Series) -> pl.Series:
        different = texts.unique()
        if len(different) * 4 >= len(texts):
            return _read(texts, reading)
        return texts.replace_strict(different, _read(different, reading), return_dtype=dtype)

    return text.map_batches(read, return_dtype=dtype)


def _read(texts: pl.Series, reading: Reading) -> pl.Series:
    import polars as pl

    # lazily: a part that a reading names twice is then worked out once
    return texts.alias("text").to_frame().lazy().select(reading(pl.col("text"))).collect().to_series()


def rupee_text(name: str) -> pl.Expr:
    """Paise as canonical text: rupees with exactly two decimals, no grouping."""
    import polars as pl

    paise = pl.col(name)
    sign = pl.when(paise < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    digits = paise.abs().cast(pl.String).str.zfill(3)
    return (sign + digits.str.head(-2) + "." + digits.str.tail(2)).alias(name)


def _unless_empty(text: pl.Expr) -> pl.Expr:
    import polars as pl

    return pl.when(text != "").then(text)


def _without_blanks(text: pl.Expr, blanks: Collection[str]) -> pl.Expr:
    import polars as pl

    if not blanks:
        return text
    longest, words = max(map(len, blanks)), list(blanks)
    return _plainly_first(
        text,
        lambda one: pl.when(one.str.len_chars() > longest).then(one),
        lambda one: pl.when(~one.str.to_lowercase().is_in(words)).then(one),
        pl.String(),
    )


def _matches(text: pl.Expr, pattern: str) -> pl.Expr:
    """The different texts a pattern finds: its group's, if it has one."""
    import polars as pl

    found = text.str.extract_all(pattern)
    if re.compile(pattern).groups:
        found = found.list.eval(pl.element().str.extract(pattern, 1))
    return found.list.unique()


def _paise(text: pl.Expr, column: AmountColumn) -> pl.Expr:
    import polars as pl

    if column.suffixes:
        return _marked_paise(text, column)
    return _plainly_first(
        text, lambda one: _unsigned_paise(one, column), lambda one: _marked_paise(one, column), pl.Int64()
    )


def _unsigned_paise(digits: pl.Expr, column: AmountColumn) -> pl.Expr:
    """The paise in digits with the mapping's grouping; null for anything else."""
    import polars as pl

    fraction = "" if column.unit == "paise" else r"(?:\.\d{1,2}0{0,8})?"
    readable = digits.str.contains(f"^{_WHOLE[column.grouping]}{fraction}$")
    number = digits.str.replace_all(",", "", literal=True).str.to_decimal(scale=2)
    paise = (number if column.unit == "paise" else number * 100).cast(pl.Int64, strict=False)
    return pl.when(readable & (paise < MAX_PAISE)).then(paise)


def _marked_paise(text: pl.Expr, column: AmountColumn) -> pl.Expr:
    """The same, with the marks about the digits: rupee signs, suffixes, a minus, brackets."""
    import polars as pl

    suffixed = text
    negative, readable = pl.lit(value=False), pl.lit(value=True)
    if column.suffixes:
        mark = _any_of(column.suffixes)
        negative = text.str.contains(rf"(?i)(?:{_alternatives(column.suffixes.negative)})$")
        suffixed = text.str.replace(rf"(?i)\s*(?:{mark})$", "")
        # a sign beside the suffix could mean either of two things
        readable = text.str.contains(rf"(?i)[\d)\s.-](?:{mark})$") & ~suffixed.str.contains(r"^-|^\(|-\d")
    bare = suffixed.str.replace(_ONLY, "").str.replace(_RUPEE_MARK, "")
    negative = negative | bare.str.contains(_MINUS)
    inner = bare.str.replace_all(r"^-|^\((.*)\)$", "$1").str.strip_chars()
    paise = _unsigned_paise(inner.str.replace(_RUPEE_MARK, "").str.replace(_ONLY, ""), column)
    return pl.when(readable).then(pl.when(negative).then(-paise).otherwise(paise))


def _any_of(suffixes: Suffixes) -> str:
    return _alternatives((*suffixes.positive, *suffixes.negative))


def _alternatives(texts: Iterable[str]) -> str:
    """A pattern for any of the texts, the longest first."""
    return "|".join(re.escape(text) for text in sorted(texts, key=len, reverse=True))


def _date(text: pl.Expr, formats: tuple[str, ...], zone: str) -> pl.Expr:
    import polars as pl

    day = pl.coalesce(_one_date(text, name, zone) for name in formats)
    return pl.when(day.dt.year().is_between(_FIRST_YEAR, _LAST_YEAR)).then(day)


def _one_date(text: pl.Expr, name: str, zone: str) -> pl.Expr:
    if name == EXCEL_SERIAL:
        return _serial_date(text)
    if name == EPOCH_SECONDS:
        return _epoch_date(text)
    return _formatted_date(text, name, zone)


def _formatted_date(text: pl.Expr, date_format: str, zone: str) -> pl.Expr:
    import polars as pl

    parsed = date_format.replace(".%f", "%.f")  # chrono's word for a fraction of any length
    fitting = pl.when(text.str.contains(f"^{format_pattern(date_format)}$")).then(text)
    if has_zone(date_format):
        moment = fitting.str.replace(r"Z$", "+00:00").str.to_datetime(parsed, strict=False, time_zone=_UTC)
        return moment.dt.convert_time_zone(_INDIA).dt.date()
    if not has_time(date_format):
        return fitting.str.to_date(parsed, strict=False)
    wall_clock = fitting.str.to_datetime(parsed, strict=False)
    if zone == _UTC:
        return wall_clock.dt.replace_time_zone(_UTC).dt.convert_time_zone(_INDIA).dt.date()
    return wall_clock.dt.date()


def _serial_date(text: pl.Expr) -> pl.Expr:
    import polars as pl

    days = text.str.extract(r"^(\d{5})(?:\.\d+)?$").cast(pl.Int64)
    return pl.date(1899, 12, 30) + pl.duration(days=days)


def _epoch_date(text: pl.Expr) -> pl.Expr:
    import polars as pl

    moment = pl.from_epoch(text.str.extract(r"^(\d{10})(?:\.\d+)?$").cast(pl.Int64), time_unit="s")
    return moment.dt.replace_time_zone(_UTC).dt.convert_time_zone(_INDIA).dt.date()


def _renamed(text: pl.Expr, values: Mapping[Any, tuple[str, ...]]) -> pl.Expr:
    """Our word for the lender's text; null for a text that has none."""
    import polars as pl

    meanings = {" ".join(said.split()).lower(): ours for ours, texts in values.items() for said in texts}
    plain = text.str.replace_all(r"\s+", " ").str.to_lowercase()
    return plain.replace_strict(meanings, default=None, return_dtype=pl.String)


def _identifier(text: pl.Expr, pattern: str) -> pl.Expr:
    """An id of this pattern, guards and blanks taken out, in upper case; null where a spreadsheet has rounded it."""
    import polars as pl

    def fitting(compact: pl.Expr) -> pl.Expr:
        return pl.when(compact.str.contains(f"^(?:{pattern})$")).then(compact)

    return _plainly_first(
        text, lambda one: fitting(_plain_identifier(one)), lambda one: fitting(_compact_id(one)), pl.String()
    )


def _compact_id(text: pl.Expr) -> pl.Expr:
    import polars as pl

    compact = text.str.replace_all(GUARD, "").str.replace_all(r"\s", "").str.to_uppercase()
    return pl.when(~compact.str.contains(ROUNDED)).then(compact)


def _loan_id(text: pl.Expr, column: LoanIdColumn, loan_id_pattern: str) -> pl.Expr:
    import polars as pl

    if column.within_text:
        loans = _loans_in(text, loan_id_pattern)
        return pl.when(loans.list.len() == 1).then(loans.list.first())
    return _identifier(text, loan_id_pattern)


def _loans_in(text: pl.Expr, loan_id_pattern: str) -> pl.Expr:
    """The different loan ids inside a narration; `_` is taken for a blank, since it would count as part of a word."""
    words = text.str.to_uppercase().str.replace_all("_", " ", literal=True)
    return words.str.extract_all(rf"\b(?:{loan_id_pattern})\b").list.unique()


def _text(text: pl.Expr, column: TextColumn) -> pl.Expr:
    import polars as pl

    if column.values or column.one_of:
        return _chosen_text(text, column)
    return _plainly_first(
        text,
        lambda one: pl.when(one.str.contains(_PLAIN_TEXT)).then(one),
        lambda one: _chosen_text(one, column),
        pl.String(),
    )


def _chosen_text(text: pl.Expr, column: TextColumn) -> pl.Expr:
    import polars as pl

    plain = text.str.replace_all(r"\s+", " ")
    allowed = ~plain.str.contains("\0", literal=True)
    if column.values:
        return pl.when(allowed).then(_renamed(text, column.values))
    if column.one_of:
        allowed = allowed & plain.str.to_lowercase().is_in([choice.lower() for choice in column.one_of])
    return pl.when(allowed).then(plain)
