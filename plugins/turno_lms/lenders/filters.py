"""Filters: rows that are read but of no interest, kept apart under the filter's name.

A filter keeps or drops the rows of which its condition is true: a list of values, or a comparison.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from turno_lms.lenders.columns import SomeTexts
from turno_lms.lenders.parts import Name, Part, Text
from turno_lms.lenders.patterns import Pattern

COMPARISONS = ("below", "at_most", "above", "at_least", "between")


class Comparison(Part):
    """One test of a value, with amounts in rupees (`"10.00"`) and dates in ISO form (`"2026-01-31"`), in quotes."""

    below: Text | None = None
    at_most: Text | None = None
    above: Text | None = None
    at_least: Text | None = None
    between: Annotated[tuple[Text, Text], Field(strict=False)] | None = None
    """Both ends belong to it."""
    matches: Pattern | None = None
    """A pattern found anywhere in the text; ^ and $ tie it to the ends."""

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        said = [name for name in (*COMPARISONS, "matches") if getattr(self, name) is not None]
        if len(said) != 1:
            raise ValueError(f"say exactly one of {', '.join((*COMPARISONS, 'matches'))}")
        return self

    @property
    def values(self) -> tuple[str, ...]:
        """The texts that stand for values of the column's type."""
        single = (self.below, self.at_most, self.above, self.at_least)
        return self.between or tuple(text for text in single if text is not None)


def _shape(condition: Any) -> str:
    return "comparison" if isinstance(condition, dict | Comparison) else "list"


Condition = Annotated[
    Annotated[SomeTexts, Tag("list")] | Annotated[Comparison, Tag("comparison")], Discriminator(_shape)
]


class Filter(Part):
    """Takes out the rows that are not `keep`, or those that are `drop`. Text is compared without regard to case.

    A value that cannot be read is not filtered but rejected further on; a blank one meets no condition.
    """

    column: Name
    keep: Condition | None = None
    drop: Condition | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Self:
        if (self.keep is None) == (self.drop is None):
            raise ValueError("say either keep or drop")
        return self

    @property
    def condition(self) -> tuple[str, ...] | Comparison:
        """What decides, whichever way."""
        return self.keep if self.keep is not None else self.drop or ()

    def takes_out(self, text: str) -> bool:
        """Whether a row with this text in the column is put aside."""
        condition = self.condition
        if isinstance(condition, Comparison):
            meets = condition.matches is not None and re.search(condition.matches, text) is not None
        else:
            meets = text.lower() in [named.lower() for named in condition]
        return meets == (self.drop is not None)

    @property
    def values(self) -> Iterator[str]:
        """The texts of the condition that stand for values of the column's type."""
        condition = self.condition
        yield from condition.values if isinstance(condition, Comparison) else condition
