"""Reading a request body by Fineract's rules.

A field is read by the body's own `dateFormat` and `locale`; a value that can't be read fails at once, while
the rules on the values are collected and answered together. A date sent as an array, an object or null counts
as absent, as it does in Fineract.
"""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Final, Protocol, TypeVar

from local_stack.fineract import errors, wire

FORMAT_FIELDS: Final = frozenset({"dateFormat", "locale"})
T = TypeVar("T")
_NOTHING_ASKED: Final[tuple[object, ...]] = (None, False, "", "false", "0", [], {})
_TRUTHS: Final = {"true": True, "false": False}


class Body:
    """The JSON object of a request; query parameters of the templates are read by the same rules."""

    def __init__(self, values: dict[str, object]) -> None:
        self._values = values

    @classmethod
    def parse(cls, text: bytes) -> "Body":
        """The body's object; raises the 400 for a missing or malformed one."""
        try:
            values = wire.decode(text)
        except ValueError as error:
            raise errors.invalid_body() from error
        if not isinstance(values, dict):
            raise errors.invalid_body()
        return cls(values)

    @property
    def names(self) -> frozenset[str]:
        """The fields sent."""
        return frozenset(self._values)

    def items(self, name: str) -> list["Body"]:
        """The objects of a list, read by this body's formats; nothing where there is no list of objects."""
        given = self._values.get(name)
        formats = {field: self._values[field] for field in FORMAT_FIELDS if field in self._values}
        return (
            [Body({**formats, **each}) for each in given if isinstance(each, dict)]
            if isinstance(given, list)
            else []
        )

    def only(self, supported: frozenset[str], elsewhere: frozenset[str] = frozenset()) -> None:
        """Refuse fields nobody knows (400) and then those that only a real server honours (501)."""
        unknown = sorted(self.names - supported - elsewhere)
        if unknown:
            raise errors.unsupported_parameters(unknown)
        beyond = sorted(name for name in self.names & elsewhere if self._values[name] not in _NOTHING_ASKED)
        if beyond:
            raise errors.NotProvidedError(f"the stand-in does not compute {', '.join(beyond)}")

    def text(self, name: str) -> str | None:
        """A field's text; numbers and truths as they are written. Blank counts as absent."""
        value = self._values.get(name)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | Decimal):
            return f"{Decimal(value):f}"
        return value if isinstance(value, str) and value.strip() else None

    def flag(self, name: str) -> bool | None:
        """A true or false; any other text is false, as Java reads it."""
        text = self.text(name)
        return None if text is None else _TRUTHS.get(text.lower(), False)

    def date(self, name: str) -> date | None:
        """A date by the body's `dateFormat` and `locale`, read strictly."""
        text = self.text(name)
        if text is None:
            return None
        pattern, locale = self._date_format(name)
        found = wire.parse_date(text, pattern)
        if found is None:
            given = f"the dateFormat: `{pattern}` and locale: `{locale}` provided:"
            message = f"The parameter `{name}` is invalid based on {given}"
            code = "validation.msg.invalid.dateFormat.format"
            raise errors.invalid([errors.item(code, message, name, None, pattern)])
        return found

    def amount(self, name: str) -> Decimal | None:
        """A decimal number: a JSON number, or text by the body's `locale`."""
        value = self._values.get(name)
        if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
            return Decimal(value)
        text = self.text(name)
        return None if text is None else self._number(name, text, "decimal")

    def integer(self, name: str) -> int | None:
        """A whole number; text and JSON numbers alike need the body's `locale`."""
        text = self.text(name)
        if text is None:
            return None
        number = self._number(name, text, "integer")
        if "." in text or number != int(number):
            raise self._unreadable(name, text, "integer")
        return int(number)

    def plain_integer(self, name: str) -> int | None:
        """A whole number written without any locale's separators."""
        text = self.text(name)
        if text is None:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise self._unreadable(name, text, "integer") from error

    def echo_amount(self, name: str) -> str | None:
        """An amount as `changes` repeats it: written by the body's locale."""
        number = self.amount(name)
        return None if number is None else (self._locale() or wire.NumberLocale(",", ".")).format(number)

    def echo(self, names: Iterable[str]) -> dict[str, str]:
        """Text fields as `changes` repeats them; absent ones are left out."""
        found = {name: self.text(name) for name in names}
        return {name: text for name, text in found.items() if text is not None}

    def _locale(self) -> wire.NumberLocale | None:
        name = self.text("locale")
        if name is None:
            return None
        locale = wire.number_locale(name)
        if locale is None:
            message = f"The parameter `locale` has an invalid value {name} ."
            raise errors.invalid(
                [errors.item("validation.msg.invalid.locale.format", message, "locale", name)]
            )
        return locale

    def _date_format(self, name: str) -> tuple[str, str]:
        pattern, locale = self.text("dateFormat"), self.text("locale")
        self._locale()
        if pattern is None or locale is None:
            raise errors.invalid(
                [
                    _missing(name, part)
                    for part, value in (("dateFormat", pattern), ("locale", locale))
                    if value is None
                ]
            )
        return pattern, locale

    def _number(self, name: str, text: str, kind: str) -> Decimal:
        locale = self._locale()
        if locale is None:
            raise errors.invalid([_missing(name, "locale")])
        number = locale.parse(text)
        if number is None:
            raise self._unreadable(name, text, kind)
        return number

    def _unreadable(self, name: str, text: str, kind: str) -> errors.ApiError:
        locale = self.text("locale")
        problem = f"has value: {text} which is invalid {kind} value for provided locale of [{locale}]."
        message = f"The parameter `{name}` {problem}"
        code = f"validation.msg.invalid.{kind}.format"
        return errors.invalid([errors.item(code, message, name, text, locale, value=text)])


def _missing(name: str, part: str) -> errors.ErrorItem:
    message = f"The parameter `{name}` requires a `{part}` parameter to be passed with it."
    return errors.item(f"validation.msg.missing.{part}.parameter", message, name)


def settled(value: T | None) -> T:
    """A value that checks, settled before, made sure of."""
    if value is None:
        raise AssertionError("a mandatory field was not checked")
    return value


class Comparable(Protocol):
    """A number that rules compare with a bound."""

    def __lt__(self, other: int, /) -> bool: ...
    def __gt__(self, other: int, /) -> bool: ...


class Checks:
    """The failed rules of one request, named `validation.msg.<resource>.<parameter>.<rule>`."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self.failures: list[errors.ErrorItem] = []

    def fail(self, name: str, rule: str, message: str, *args: object) -> None:
        """Note that a parameter breaks a rule."""
        code = f"validation.msg.{self._resource}.{name}.{rule}"
        self.failures.append(errors.item(code, message, name, *args))

    def required(self, name: str, value: object) -> None:
        """The parameter is mandatory."""
        if value is None:
            self.fail(name, "cannot.be.blank", f"The parameter `{name}` is mandatory.")

    def positive(self, name: str, value: Comparable | None) -> None:
        """The parameter, when sent, is above zero."""
        if value is not None and not value > 0:
            self.fail(
                name, "not.greater.than.zero", f"The parameter `{name}` must be greater than 0.", value, 0
            )

    def not_negative(self, name: str, value: Comparable | None) -> None:
        """The parameter, when sent, is zero or more."""
        if value is not None and value < 0:
            message = f"The parameter `{name}` must be greater than or equal to 0."
            self.fail(name, "not.zero.or.greater", message, value, 0)

    def between(self, name: str, value: int | None, low: int, high: int) -> None:
        """The parameter, when sent, lies in a range, its ends included."""
        if value is not None and not low <= value <= high:
            message = f"The parameter `{name}` must be between {low} and {high}."
            self.fail(name, "is.not.within.expected.range", message, value, low, high)

    def one_of(self, name: str, value: object, allowed: tuple[object, ...]) -> None:
        """The parameter, when sent, is one of these."""
        if value is not None and value not in allowed:
            message = f"The parameter `{name}` must be one of [ {', '.join(map(str, allowed))} ] ."
            self.fail(name, "is.not.one.of.expected.enumerations", message, value, *allowed)

    def at_most(self, name: str, value: str | None, length: int) -> None:
        """The parameter, when sent, has at most so many characters."""
        if value is not None and len(value.strip()) > length:
            message = f"The parameter `{name}` exceeds max length of {length}."
            self.fail(name, "exceeds.max.length", message, length, value)

    def settle(self) -> None:
        """Raise the 400 that lists every failure, if there is any."""
        if self.failures:
            raise errors.invalid(self.failures)
