"""The rules a payment row must pass, in their order, as expressions; and what to tell an operator when it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from turno_lms.domain.money import paise_to_rupees, rupees_to_paise
from turno_lms.domain.states import Disposition, RowReason
from turno_lms.ingestion import columns
from turno_lms.lenders.columns import AmountColumn, AnyColumn, DateColumn, TextColumn
from turno_lms.lenders.filters import Comparison, Filter
from turno_lms.lenders.schema import FileKind, Lender

if TYPE_CHECKING:
    import polars as pl


_MEASURED: dict[str, Callable[[str], Any]] = {"amount": rupees_to_paise, "date": date.fromisoformat}


@dataclass(frozen=True)
class Verdict:
    """Why a row is not accepted; `field` is a column of the mapping."""

    disposition: Disposition
    reason: RowReason
    rule: str
    field: str | None


def rules(lender: Lender, kind: FileKind) -> list[tuple[pl.Expr, Verdict]]:
    """Condition and verdict of every rule, first to last; the first that holds decides.

    The status comes before the filters, which usually ask for it; the filters before everything else, because a debit
    that failed needs no readable date.
    """
    import polars as pl

    status = {name: column for name, column in kind.mapped.items() if column.type == "status"}
    others = {name: column for name, column in kind.mapped.items() if column.type != "status"}
    return [
        (pl.col("_short"), _rejected(RowReason.TRUNCATED_ROW, "row.cells", None)),
        (pl.col("_long"), _rejected(RowReason.BAD_VALUE, "row.cells", None)),
        *_column_rules(status, lender),
        *_filter_rules(kind),
        *_column_rules(others, lender),
        *(
            (pl.col(name).is_null(), _rejected(RowReason.BAD_AMOUNT, f"compute.{name}", name))
            for name in kind.formulas
        ),
        (pl.col("amount") <= 0, _rejected(RowReason.AMOUNT_NOT_POSITIVE, "amount.positive", "amount")),
    ]


def _rejected(reason: RowReason, rule: str, field: str | None) -> Verdict:
    return Verdict(Disposition.REJECTED, reason, rule, field)


def _column_rules(mapped: Mapping[str, AnyColumn], lender: Lender) -> Iterator[tuple[pl.Expr, Verdict]]:
    import polars as pl

    for name, column in mapped.items():
        rule, text = f"columns.{name}", f"text:{name}"
        required = is_required(column)
        if required:
            yield pl.col(text).is_null(), _rejected(RowReason.MISSING_VALUE, rule, name)
        several = columns.is_ambiguous(text, column, loan_id_pattern=lender.loan_id_pattern)
        if several is not None:
            reason = RowReason.AMBIGUOUS_LOAN_ID if column.type == "loan_id" else RowReason.AMBIGUOUS_VALUE
            yield several, _rejected(reason, rule, name)
        # where a value may be blank, a part that is not found is a blank
        judged = text if required or not columns.has_part(name, column) else f"part:{name}"
        bad = pl.col(judged).is_not_null() & pl.col(name).is_null()
        yield bad, _rejected(columns.BAD_VALUE_REASON[column.type], rule, name)


def is_required(column: AnyColumn) -> bool:
    """Whether a blank cell rejects the row: always for what identifies a payment, else as the mapping says."""
    return column.required if isinstance(column, TextColumn | AmountColumn | DateColumn) else True


def _filter_rules(kind: FileKind) -> Iterator[tuple[pl.Expr, Verdict]]:
    for name, rule in kind.filters.items():
        verdict = Verdict(Disposition.FILTERED, RowReason.FILTERED_BY_RULE, f"filters.{name}", rule.column)
        yield _filtered(rule, kind.mapped.get(rule.column)), verdict


def _filtered(rule: Filter, column: AnyColumn | None) -> pl.Expr:
    """True for the rows a filter takes out. A value that cannot be read is not filtered but judged further on.

    A blank meets no condition; a blank amount counts as zero.
    """
    import polars as pl

    kind = column.type if column else "amount"  # only amounts are computed
    meets = _meets(pl.col(rule.column), kind, rule)
    if rule.drop is not None:
        return meets
    if column is None or is_required(column) or kind == "amount":
        return ~meets
    nothing = f"part:{rule.column}" if columns.has_part(rule.column, column) else f"text:{rule.column}"
    return ~meets | pl.col(nothing).is_null()


def _meets(cell: pl.Expr, kind: str, rule: Filter) -> pl.Expr:
    condition = rule.condition
    if not isinstance(condition, Comparison):
        named = [_comparable(text, kind) for text in condition]
        return (cell if kind in _MEASURED else cell.str.to_lowercase()).is_in(named)
    if condition.matches is not None:
        return cell.str.contains(condition.matches)
    if condition.between is not None:
        return cell.is_between(*(_comparable(text, kind) for text in condition.between))
    (operator, text), *_ = condition.model_dump(exclude_none=True).items()
    compare = {"below": cell.__lt__, "at_most": cell.__le__, "above": cell.__gt__, "at_least": cell.__ge__}
    return compare[operator](_comparable(text, kind))


def _comparable(text: str, kind: str) -> Any:
    """A filter's text as a value of the column's type."""
    return _MEASURED[kind](text) if kind in _MEASURED else text.lower()


class Explainer:
    """The message of a verdict: names the file's own heading, the text found and what was expected."""

    def __init__(
        self, lender: Lender, kind: FileKind, names: Mapping[str, str], needed: int, headed: int
    ) -> None:
        self._lender = lender
        self._kind = kind
        self._names = names
        self._needed = needed
        self._headed = headed

    def message(self, verdict: Verdict, row: Mapping[str, Any], cells: int) -> str:
        """One sentence on `row` (values and texts by column).

        `cells`, how many it has in the file, counts where no field is at fault.
        """
        if verdict.field is None:
            return self._shape(verdict, cells)
        name = verdict.field
        heading, text = self._names.get(name, name), row.get(f"text:{name}")
        shown = f"{heading} {text!r}" if text is not None else f"{heading} (blank)"
        if verdict.reason is RowReason.AMOUNT_NOT_POSITIVE:
            return f"the amount is {paise_to_rupees(row['amount'])}; a repayment is more than zero"
        unfit = f"{shown} is not {self._expected(name)}"
        if text is not None and row.get(f"part:{name}", "") is None:
            unfit = f"{shown} holds no {name} where the mapping looks for it"
        said = {
            RowReason.FILTERED_BY_RULE: f"{shown} is filtered by {verdict.rule}",
            RowReason.MISSING_VALUE: f"{heading} is blank",
            RowReason.AMBIGUOUS_LOAN_ID: f"{shown} names more than one loan",
            RowReason.AMBIGUOUS_VALUE: f"{shown} holds more than one {name} where exactly one is wanted",
        }
        return said.get(verdict.reason, unfit)

    def _shape(self, verdict: Verdict, cells: int) -> str:
        if verdict.reason is RowReason.TRUNCATED_ROW:
            return f"the row ends after {cells} cells; the mapped columns need {self._needed}"
        return (
            f"the row has {cells} cells under {self._headed} headings: an unquoted delimiter has shifted them"
        )

    def _expected(self, name: str) -> str:
        column = self._kind.mapped.get(name)
        if column is None:
            return f"an amount: {name} is computed, and its parts give none in range"
        form = f" of the form {self._lender.loan_id_pattern}" if column.type == "loan_id" else ""
        return column.expected + form
