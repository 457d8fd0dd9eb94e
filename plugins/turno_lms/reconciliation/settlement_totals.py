"""Control totals of settlement reports: what stands below the lines, and what is said of each settlement beside them.

A report that was cut off, or sorted in part, shows here; nothing of one that does not add up is stored.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from turno_lms.reconciliation.settlement_lines import (
    NumberedRow,
    Row,
    SettlementError,
    SettlementLine,
    read_row,
    rupees_of,
)

_TOTALS = ("total", "grand total", "sub total", "sub-total", "subtotal")
_NONE = Decimal("0.00")


@dataclass(frozen=True)
class Stated:
    """What a report says of one settlement. In rupees: what was paid (None where it is not said) and what was sent."""

    settlement_id: str
    utr: str | None
    gross: Decimal | None
    net: Decimal


def without_totals(
    rows: Iterable[NumberedRow], identity: str, summed: Collection[str]
) -> Iterator[NumberedRow]:
    """The rows that are lines. A total must be the sum of the rows above it, or of those since the total before.

    Raises SettlementError where it is not, and for a row that is neither a line nor a total nor a single remark.
    """
    sums, since = dict.fromkeys(summed, _NONE), dict.fromkeys(summed, _NONE)
    for number, row in rows:
        told = [cell for cell in row.values() if cell]
        if told and told[0].lower().startswith(_TOTALS):
            _check_total(number, row, sums, since)
            since = dict.fromkeys(summed, _NONE)
        elif row.get(identity):
            for heading in summed:
                amount = read_row(number, partial(_amount, heading), row)
                sums[heading] += amount
                since[heading] += amount
            yield number, row
        elif len(told) > 1:
            raise SettlementError(f"line {number} has no {identity}")


def check_stated(lines: Sequence[SettlementLine], stated: Sequence[Stated]) -> list[SettlementLine]:
    """The lines, each with the UTR of its settlement where it lacks it; all of them where nothing is stated.

    Raises SettlementError where a settlement's lines do not add up to what is stated of it, or nothing is stated of it.
    """
    if not stated:
        return list(lines)
    by_name = {name: one for one in stated for name in (one.utr, one.settlement_id) if name}
    tied: list[SettlementLine] = []
    paid: dict[Stated, Decimal] = defaultdict(Decimal)
    net: dict[Stated, Decimal] = defaultdict(Decimal)
    for line in lines:
        if (one := by_name.get(line.settlement_id)) is None:
            raise SettlementError(
                f"line {line.number}: settlement {line.settlement_id} is not among the report's settlements"
            )
        if line.utr and one.utr and line.utr != one.utr:
            raise SettlementError(
                f"line {line.number}: UTR {line.utr}, but settlement {one.settlement_id} went under {one.utr}"
            )
        tied.append(replace(line, utr=line.utr or one.utr))
        net[one] += line.net
        if line.entity == "payment":
            paid[one] += line.amount
    for one in stated:
        _check(one, "transferred", one.net, net[one])
        if one.gross is not None:
            _check(one, "paid by customers", one.gross, paid[one])
    return tied


def _check_total(number: int, row: Row, sums: dict[str, Decimal], since: dict[str, Decimal]) -> None:
    for heading, found in sums.items():
        stated = read_row(number, partial(_amount, heading), row)
        if row.get(heading) and stated not in (found, since[heading]):
            raise SettlementError(
                f"line {number}: the total of {heading} is {stated}, but the lines add up to {found}: "
                "was the report cut off?"
            )


def _amount(heading: str, row: Row) -> Decimal:
    return rupees_of(row.get(heading))


def _check(one: Stated, what: str, stated: Decimal, found: Decimal) -> None:
    if stated != found:
        raise SettlementError(
            f"settlement {one.settlement_id}: {stated} {what} by the report's settlements, but its lines add up to "
            f"{found}: was the report cut off?"
        )
