"""The notation of the v1 API: JSON with exact numbers, dates as arrays, texts by locale and pattern. Pure."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

import msgspec

PAISE_PER_RUPEE: Final = 100
_WIRE_DIGITS: Final = 6
_ENCODER: Final = msgspec.json.Encoder(decimal_format="number")
_DECODER: Final = msgspec.json.Decoder(float_hook=Decimal)
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_SHORT_NAME: Final = 3
_GROUP: Final = 3
_TWO_DIGIT_YEARS_FROM: Final = 2000


def encode(value: object) -> bytes:
    """JSON text of a value; Decimals become numbers, digit for digit."""
    return _ENCODER.encode(value)


def decode(text: bytes) -> object:
    """The value of a JSON text, fractions as Decimal; raises ValueError for anything else."""
    return _DECODER.decode(text)


def rupees(paise: int) -> Decimal:
    """Paise as the rupees of an answer, with the six decimals that Fineract stores."""
    return Decimal(paise * 10 ** (_WIRE_DIGITS - 2)).scaleb(-_WIRE_DIGITS)


def paise(amount: Decimal) -> int:
    """Rupees as paise, rounded half-even to the currency's two digits as Fineract's Money is."""
    return int((amount * PAISE_PER_RUPEE).to_integral_value(rounding=ROUND_HALF_EVEN))


def day(value: date | None) -> list[int] | None:
    """A date as answers show it: `[yyyy, m, d]`."""
    return None if value is None else [value.year, value.month, value.day]


@dataclass(frozen=True, slots=True)
class NumberLocale:
    """How a locale writes numbers. `later_group` is 2 where lakhs are grouped."""

    grouping: str
    decimal: str
    later_group: int = _GROUP

    def parse(self, text: str) -> Decimal | None:
        """The number, or None when the text is no number in this locale."""
        plain = text.strip().replace(self.grouping, "").replace(self.decimal, ".")
        if text.count(self.decimal) > 1 or not re.fullmatch(r"-?\d+(\.\d*)?", plain, re.ASCII):
            return None
        return Decimal(plain)

    def format(self, number: Decimal) -> str:
        """The number with grouping and at most three decimals, as Java's default format writes it."""
        rounded = number.quantize(Decimal("0.001"), rounding=ROUND_HALF_EVEN)
        whole, _, fraction = f"{abs(rounded):f}".partition(".")
        groups, head = [whole[-_GROUP:]], whole[:-_GROUP]
        while head:
            groups.insert(0, head[-self.later_group :])
            head = head[: -self.later_group]
        fraction = fraction.rstrip("0")
        sign = "-" if rounded < 0 else ""
        return sign + self.grouping.join(groups) + (self.decimal + fraction if fraction else "")


_LOCALES: Final = {
    "en": NumberLocale(",", "."),
    "en_US": NumberLocale(",", "."),
    "en_GB": NumberLocale(",", "."),
    "en_IN": NumberLocale(",", ".", later_group=2),
    "de": NumberLocale(".", ","),
    "de_DE": NumberLocale(".", ","),
}


def number_locale(name: str) -> NumberLocale | None:
    """The locale of that name, or None when it is not known here."""
    return _LOCALES.get(name)


def parse_date(text: str, pattern: str) -> date | None:
    """The date a text holds by a Java pattern such as `dd MMMM yyyy`, read strictly; None when it holds none."""
    compiled = _compile(pattern)
    match = compiled.fullmatch(text.strip()) if compiled else None
    if match is None:
        return None
    found = match.groupdict()
    try:
        return date(_year(found["y"]), _month(found), int(found["d"]))
    except (KeyError, ValueError):
        return None


def _year(digits: str) -> int:
    return int(digits) + (_TWO_DIGIT_YEARS_FROM if len(digits) == len("yy") else 0)


def _month(found: dict[str, str | None]) -> int:
    name = found.get("name")
    return int(found["m"] or 0) if name is None else _month_of(name.lower())


def _month_of(name: str) -> int:
    return 1 + next(i for i, month in enumerate(_MONTHS) if month.startswith(name))


_SHORT_NAMES: Final = "|".join(month[:_SHORT_NAME] for month in _MONTHS)
_PIECES: Final = {
    "yyyy": r"(?P<y>\d{4})",
    "yy": r"(?P<y>\d{2})",
    "MMMM": f"(?P<name>{'|'.join(_MONTHS)})",
    "MMM": f"(?P<name>{_SHORT_NAMES})",
    "MM": r"(?P<m>\d{2})",
    "M": r"(?P<m>\d{1,2})",
    "dd": r"(?P<d>\d{2})",
    "d": r"(?P<d>\d{1,2})",
}


@lru_cache(maxsize=64)
def _compile(pattern: str) -> re.Pattern[str] | None:
    pieces = re.findall(r"y+|M+|d+|[^A-Za-z]", pattern)
    if "".join(pieces) != pattern:
        return None
    try:
        body = "".join(_PIECES[piece] if piece[0] in "yMd" else re.escape(piece) for piece in pieces)
        return re.compile(body, re.ASCII | re.IGNORECASE)
    except (KeyError, re.error):
        return None
