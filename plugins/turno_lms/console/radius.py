"""The blast radius of a bulk action: how many rows and rupees the choice comes to, told before and held to after."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from starlette.requests import Request
from starlette_admin.actions import ActionSelection
from starlette_admin.exceptions import ActionFailed

from turno_lms.domain.money import canonical_amount, indian_rupees

_NAMED_LENDERS = 5


@dataclass(frozen=True)
class Radius:
    """What a choice of rows comes to. `rupees` is the sum of their amounts' sizes; None on pages without money."""

    items: int
    rupees: Decimal | None
    lenders: tuple[str, ...]

    def told(self) -> str:
        """In words, for the person who is about to act."""
        rows = "1 row" if self.items == 1 else f"{self.items:,} rows"
        money = "" if self.rupees is None else f", ₹ {indian_rupees(self.rupees)}"
        more = len(self.lenders) - _NAMED_LENDERS
        names = ", ".join(self.lenders[:_NAMED_LENDERS]) + (f" and {more} more" if more > 0 else "")
        return f"This touches {rows}{money}{' of ' + names if names else ''}."

    def to_dict(self) -> dict[str, Any]:
        """As the page's script reads it; `items` and `rupees` come back with the form."""
        return {"items": self.items, "rupees": _plain(self.rupees), "told": self.told()}

    def check(self, given: Mapping[str, Any]) -> None:
        """Hold the choice against what the person was told. ActionFailed if it is not that any more."""
        told = (str(given.get("told_items") or ""), str(given.get("told_rupees") or ""))
        if told != (str(self.items), _plain(self.rupees)):
            raise ActionFailed(f"Not done: the choice is no longer what was shown. {self.told()} Look again.")


async def radius_of(selection: ActionSelection, rupees_column: str | None) -> Radius:
    """What the chosen rows come to; ActionFailed for more rows than one action may take."""
    rows = await selection.rows()
    lenders = {str(lender) for row in rows if (lender := getattr(row, "lender", None))}
    total = None
    if rupees_column is not None:
        total = sum((abs(getattr(row, rupees_column) or Decimal(0)) for row in rows), Decimal(0))
    return Radius(len(rows), total, tuple(sorted(lenders)))


def radius_url(request: Request, key: str) -> str:
    """Where a list's script asks what a choice of its rows comes to."""
    return str(request.url_for("console:radius", key=key))


def _plain(rupees: Decimal | None) -> str:
    return "" if rupees is None else canonical_amount(rupees)
