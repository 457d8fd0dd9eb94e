"""The loan book behind the sample files: who borrowed what, and under which NACH mandates.

Everything follows from the loan's number by plain arithmetic: no clock, no random numbers. A two-wheeler's EMI is
collected once a month, a three-wheeler's in two halves (5th and 20th), as is usual for e-rickshaw drivers;
Axle collects a quarter of the EMI every week.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from turno_lms.domain.money import rupees_to_paise

FIRST_DISBURSAL = date(2025, 10, 6)
_DISBURSAL_SPREAD_DAYS = 61  # 6 October to 5 December 2025
MONTHS_IN_YEAR = 12

_FIRST_NAMES = (
    "Aarav", "Bhavna", "Chirag", "Deepika", "Eknath", "Farida", "Ganesh", "Harpreet",
    "Imran", "Jyoti", "Karthik", "Lakshmi", "Manoj", "Nandini", "Omkar", "Pooja",
    "Rakesh", "Savita", "Tarun", "Usha", "Venkatesh", "Waheeda", "Yogesh", "Zubin",
)  # fmt: skip
_LAST_NAMES = (
    "Sharma", "Patil", "Reddy", "Khan", "Yadav", "Nair", "Singh", "Das", "Gowda", "Joshi",
    "Chauhan", "Iyer", "Mondal", "Pawar", "Shaikh", "Verma", "Kaur", "Bhat", "Solanki", "Mishra",
)  # fmt: skip
_BANKS = ("HDFC", "ICIC", "SBIN", "UTIB", "PUNB", "BARB", "KKBK")


class Vehicle(StrEnum):
    """What the loan bought."""

    TWO_WHEELER = "two-wheeler"
    THREE_WHEELER = "three-wheeler"


@dataclass(frozen=True)
class Product:
    """A lender's loan product: flat interest, equal monthly instalments."""

    lender: str
    product_id: int
    name: str
    short_name: str
    annual_rate_percent: Decimal
    prefix: str


PRODUCTS = (
    Product("gb", 1, "GB Finance EV loan", "GBEV", Decimal("15.99"), "GB"),
    Product("ugro", 2, "UGRO EV loan", "UGEV", Decimal("17.50"), "UGR"),
    Product("axle", 3, "Axle Capital EV loan", "AXEV", Decimal("18.25"), "AXL"),
)
"""In the order in which an empty Fineract numbers them: the lender mappings name the products by these ids."""

_PLANS: dict[Vehicle, tuple[tuple[int, ...], int]] = {
    Vehicle.TWO_WHEELER: ((90_000, 1_00_000, 1_10_000, 1_20_000, 80_000), 24),
    Vehicle.THREE_WHEELER: ((1_50_000, 1_75_000, 2_00_000, 2_25_000, 2_50_000), 36),
}


@dataclass(frozen=True)
class Loan:
    """One disbursed loan and its borrower. `number` is the loan id without the lender's prefix."""

    product: Product
    number: int
    position: int
    vehicle: Vehicle

    @property
    def lender(self) -> str:
        """The lender's slug."""
        return self.product.lender

    @property
    def loan_id(self) -> str:
        """The loan's external id in Fineract."""
        return f"{self.product.prefix}{self.number}"

    @property
    def first_name(self) -> str:
        """The borrower's given name."""
        return _FIRST_NAMES[self.position % len(_FIRST_NAMES)]

    @property
    def last_name(self) -> str:
        """The borrower's family name; the stride keeps whole names apart within a lender."""
        return _LAST_NAMES[(7 * self.position + self.position // len(_FIRST_NAMES)) % len(_LAST_NAMES)]

    @property
    def mobile(self) -> str:
        """A ten-digit number, unique over all lenders."""
        return f"9{self.product.product_id}000{self.number % 100_000:05d}"

    @property
    def principal(self) -> int:
        """Rupees lent."""
        amounts, _ = _PLANS[self.vehicle]
        return amounts[(self.position // 2) % len(amounts)]

    @property
    def months(self) -> int:
        """Number of monthly instalments."""
        return _PLANS[self.vehicle][1]

    @property
    def disbursed_on(self) -> date:
        """Between 6 October and 5 December 2025."""
        return FIRST_DISBURSAL + timedelta(days=7 * self.position % _DISBURSAL_SPREAD_DAYS)

    @cached_property
    def emi_paise(self) -> int:
        """The instalment as lenders present it: flat interest, whole rupees, the paise left to the last one."""
        interest = self.principal * self.product.annual_rate_percent * self.months / (100 * MONTHS_IN_YEAR)
        return rupees_to_paise(int((self.principal + interest) / self.months))

    @property
    def umrn(self) -> str:
        """The first mandate of the loan."""
        return self.mandate(1)

    def mandate(self, issue: int) -> str:
        """A UMRN of 20 characters: bank, 7 for an e-mandate, loan number, issue."""
        bank = _BANKS[(self.position + issue) % len(_BANKS)]
        return f"{bank}7{self.number:09d}{issue:06d}"


def _loans(product: Product, first: int, count: int, even: Vehicle, odd: Vehicle) -> tuple[Loan, ...]:
    return tuple(
        Loan(product, number, position, odd if number % 2 else even)
        for position, number in enumerate(range(first, first + count))
    )


_GB, _UGRO, _AXLE = PRODUCTS
GB_LOANS = _loans(_GB, 100_151, 120, Vehicle.TWO_WHEELER, Vehicle.THREE_WHEELER)
UGRO_LOANS = _loans(_UGRO, 200_101, 110, Vehicle.THREE_WHEELER, Vehicle.TWO_WHEELER)
AXLE_LOANS = _loans(_AXLE, 300_301, 60, Vehicle.TWO_WHEELER, Vehicle.THREE_WHEELER)
ALL_LOANS = GB_LOANS + UGRO_LOANS + AXLE_LOANS


def by_id(loans: tuple[Loan, ...]) -> dict[str, Loan]:
    """The loans under their ids."""
    return {loan.loan_id: loan for loan in loans}
