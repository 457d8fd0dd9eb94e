"""UGRO: repayment statements as workbooks, addressed by mandate; no gateway reports the same money.

Two-wheelers pay their EMI on 5 January, three-wheelers one half on the 5th and the other on the 20th. What bounced is
presented again on the 27th; UGR200124 owes both halves, so it pays twice that day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from local_stack.sample_data.book import UGRO_LOANS, Loan, Vehicle, by_id
from local_stack.sample_data.samples import Mandate, SampleFile
from local_stack.sample_data.texts import amount_text, reference_text
from local_stack.sample_data.workbooks import Cell, xlsx_bytes
from turno_lms.domain.money import indian_rupees, paise_to_rupees

PREFIX = "lenders/ugro/repayment_statement/"
FIRST_DEBIT, SECOND_DEBIT, THIRD_DEBIT = date(2026, 1, 5), date(2026, 1, 20), date(2026, 1, 27)
HISTORIC = date(2025, 12, 28)

BOUNCED = {
    FIRST_DEBIT: ("UGR200103", "UGR200124", "UGR200135", "UGR200150", "UGR200171", "UGR200196"),
    SECOND_DEBIT: ("UGR200124", "UGR200142", "UGR200188"),
    THIRD_DEBIT: ("UGR200142", "UGR200196"),
}
NOT_IN_UMRN_MASTER = ("UGR200117", "UGR200149")
PAID_TWICE = "UGR200133"  # two real payments of the EMI on the 5th, each with its own receipt and UTR
PREPAID, PREPAID_ON, PREPAID_PAISE = "UGR200160", date(2026, 1, 7), 1_23_456_00
HISTORIC_PAYER = "UGR200102"
REPEATED = ("UGR200104", "UGR200137", "UGR200175")  # lines that stand twice in one statement
REPORTED_AGAIN = ("UGR200105", "UGR200106")  # lines of the first statement that stand in the second too
RE_RECEIPTED = (
    "UGR200107",
    "UGR200139",
)  # listed again a day later under a new receipt: the UTR says the same money
IN_PROCESS = ("UGR200111", "UGR200112")
REVERSED = "UGR200113"

_LOANS = by_id(UGRO_LOANS)
_THREE_WHEELERS = [loan for loan in UGRO_LOANS if loan.vehicle is Vehicle.THREE_WHEELER]
_EXCEL_DAY_ZERO = date(1899, 12, 30)
_HEADINGS = (
    "Borrower", "UMRN", "Payment Date", "Amount Received (INR)",
    "Payment Status", "Remarks", "Receipt No.", "UTR / RRN",
)  # fmt: skip
_Line = dict[str, Cell]


@dataclass(frozen=True)
class Repayment:
    """One line's repayment; `suffix` tells those of one loan and day apart."""

    loan: Loan
    day: date
    suffix: str = ""

    @property
    def paise(self) -> int:
        """The EMI, or half of it for a three-wheeler."""
        return self.loan.emi_paise if self.loan.vehicle is Vehicle.TWO_WHEELER else self.loan.emi_paise // 2

    @property
    def utr(self) -> str:
        """The bank's reference of this payment."""
        return f"HDFCN{self.day:%y%m%d}{self.loan.number}{self.suffix}"

    @property
    def receipt(self) -> str:
        """UGRO's own receipt number."""
        return f"UGR/{self.day:%m%d}/{self.loan.number}{self.suffix}"

    def line(self) -> _Line:
        """The repayment as the statement shows it."""
        style = self.loan.position
        bounced = self.loan.loan_id in BOUNCED.get(self.day, ())
        return {
            "Borrower": f"{self.loan.first_name} {self.loan.last_name}",
            "UMRN": reference_text(self.loan.umrn, style),
            "Payment Date": _date_cell(self.day, style),
            "Amount Received (INR)": _amount_cell(self.paise, style),
            "Payment Status": "Bounced" if bounced else ("Realised", "cleared ")[style % 2],
            "Remarks": "Funds insufficient" if bounced else None,
            "Receipt No.": self.receipt,
            "UTR / RRN": self.utr,
        }


def _date_cell(day: date, style: int) -> Cell:
    """A date as typed by hand, as the workbook's own date, or as the bare number behind one."""
    return (f"{day:%d-%b-%Y}", day, (day - _EXCEL_DAY_ZERO).days)[style % 3]


def _amount_cell(paise: int, style: int) -> Cell:
    return paise_to_rupees(paise) if style % 4 == 0 else amount_text(paise, style)


def mandates() -> list[Mandate]:
    """UGRO's part of the UMRN master: one mandate a loan, two left out on purpose."""
    return [
        Mandate(loan.umrn, loan.loan_id, "ugro", loan.disbursed_on)
        for loan in UGRO_LOANS
        if loan.loan_id not in NOT_IN_UMRN_MASTER
    ]


def first_delivery() -> list[SampleFile]:
    """The statement up to 20 January, and one whose bytes are no workbook."""
    return [
        _statement("20260121", [*_january_lines(), *_repeated_lines(), *_bad_lines()]),
        SampleFile(
            f"{PREFIX}REPAYMENT_STATEMENT_UGRO_20260122_damaged.xlsx", b"PK\x03\x04 cut off in transit"
        ),
    ]


def second_delivery() -> list[SampleFile]:
    """The statement for 27 January."""
    return [_statement("20260129", _second_lines())]


def _january_lines() -> list[_Line]:
    prepaid = Repayment(_LOANS[PREPAID], PREPAID_ON)
    reversed_line = Repayment(_LOANS[REVERSED], SECOND_DEBIT, "R").line()
    return [
        *(Repayment(loan, FIRST_DEBIT).line() for loan in UGRO_LOANS),
        *(Repayment(loan, SECOND_DEBIT).line() for loan in _THREE_WHEELERS),
        Repayment(_LOANS[PAID_TWICE], FIRST_DEBIT, "B").line(),
        {**prepaid.line(), "Amount Received (INR)": indian_rupees(paise_to_rupees(PREPAID_PAISE))},
        Repayment(_LOANS[HISTORIC_PAYER], HISTORIC).line(),
        *(
            {**Repayment(_LOANS[loan_id], SECOND_DEBIT, "P").line(), "Payment Status": "In Process"}
            for loan_id in IN_PROCESS
        ),
        {**reversed_line, "Payment Status": "REVERSED"},
    ]


def _repeated_lines() -> list[_Line]:
    return [Repayment(_LOANS[loan_id], FIRST_DEBIT).line() for loan_id in REPEATED]


def _second_lines() -> list[_Line]:
    bounced = [loan_id for day in (FIRST_DEBIT, SECOND_DEBIT) for loan_id in BOUNCED[day]]
    next_day = FIRST_DEBIT + timedelta(days=1)
    return [
        *(
            Repayment(_LOANS[loan_id], THIRD_DEBIT, f"-{number}").line()
            for number, loan_id in enumerate(bounced, 1)
        ),
        *(Repayment(_LOANS[loan_id], FIRST_DEBIT).line() for loan_id in REPORTED_AGAIN),
        *(
            {
                **Repayment(_LOANS[loan_id], next_day).line(),
                "UTR / RRN": Repayment(_LOANS[loan_id], FIRST_DEBIT).utr,
            }
            for loan_id in RE_RECEIPTED
        ),
    ]


def _bad_lines() -> list[_Line]:
    """One fault a line; `expected` counts them one by one."""
    good = Repayment(_LOANS[PAID_TWICE], FIRST_DEBIT).line()
    faults: list[_Line] = [
        {"Payment Date": "05.01.2026"},
        {"Payment Date": "Monday"},
        {"Amount Received (INR)": "NIL"},
        {"Amount Received (INR)": "12,34,56.00"},
        {"Amount Received (INR)": "-4,399.00"},
        {"UMRN": None},
        {"Payment Status": "On hold"},
        {"Payment Status": None},
    ]
    return [
        {**good, "Receipt No.": f"UGR/X/{number}", "UTR / RRN": "NIL", **fault}
        for number, fault in enumerate(faults, 1)
    ]


def _statement(day: str, lines: Sequence[_Line]) -> SampleFile:
    summary = [("UGRO Capital Limited",), ("Statement of", day), ("Lines", len(lines))]
    table: list[Sequence[Cell]] = [
        ("UGRO CAPITAL LIMITED",),
        ("Repayment statement - co-lending partner: Turno",),
        (None, None),
        _HEADINGS,
        *(list(line.values()) for line in lines),
        ("Grand Total", None, None, f"{len(lines)} lines"),
        ("Note: figures are subject to realisation.",),
        ("* cleared means realised at the sponsor bank",),
    ]
    return SampleFile(
        f"{PREFIX}REPAYMENT_STATEMENT_UGRO_{day}.xlsx", xlsx_bytes({"Summary": summary, "Repayments": table})
    )
