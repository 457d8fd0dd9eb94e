"""GB Finance: NACH responses, addressed by mandate, and Razorpay's webhooks about the same debits.

Two-wheelers pay their EMI on 5 January, three-wheelers one half on the 5th and the other on the 20th. What was
returned is presented again on the 27th.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from local_stack.gateways.payments import Gateway, Payment
from local_stack.sample_data.book import GB_LOANS, Loan, Vehicle, by_id
from local_stack.sample_data.samples import Line, Mandate, SampleFile
from local_stack.sample_data.texts import amount_text, csv_bytes, reference_text
from turno_lms.domain.dates import IST
from turno_lms.domain.money import paise_to_rupees

PREFIX = "lenders/gb/nach_response/"
FIRST_DEBIT, SECOND_DEBIT, THIRD_DEBIT = date(2026, 1, 5), date(2026, 1, 20), date(2026, 1, 27)
HISTORIC = date(2025, 12, 20)
REISSUED_ON = date(2026, 1, 13)

RETURNED = {
    FIRST_DEBIT: (
        "GB100155", "GB100163", "GB100178", "GB100186", "GB100214", "GB100229", "GB100241", "GB100262",
    ),
    SECOND_DEBIT: ("GB100163", "GB100177", "GB100223", "GB100257"),
    THIRD_DEBIT: ("GB100241", "GB100257"),
}  # fmt: skip
NOT_IN_UMRN_MASTER = ("GB100160", "GB100188", "GB100246")
TWO_MANDATES = "GB100171"  # both in force: the 5th on one, the 20th on the other
REISSUED = "GB100199"  # the mandate was replaced on 13 January, and the debits follow
OLD_MANDATE_USED = "GB100205"  # replaced likewise, but the debit of the 20th still names the old one
PAID_TWICE = "GB100190"  # two real debits of the EMI on the 5th, each with its own reference
HISTORIC_PAYER = "GB100152"
UNKNOWN_LOAN = Loan(
    GB_LOANS[0].product, 100_999, 3, Vehicle.TWO_WHEELER
)  # in the UMRN master, not in Fineract
REPEATED = ("GB100151", "GB100180", "GB100210", "GB100240")  # lines that stand twice in one file
REPORTED_AGAIN = ("GB100153", "GB100200", "GB100250")  # lines of the first file that stand in the second too
NOT_REPORTED_BY_RAZORPAY = ("GB100166", "GB100182", "GB100208", "GB100236", "GB100254")
FAILED_AT_RAZORPAY = ("GB100155", "GB100178", "GB100186", "GB100214")

_LOANS = by_id(GB_LOANS)
_THREE_WHEELERS = [loan for loan in GB_LOANS if loan.vehicle is Vehicle.THREE_WHEELER]
_REASONS = (
    ("04", "Balance Insufficient"),
    ("05", "Not arranged for"),
    ("58", "Maximum limit exceeded"),
    ("68", "A/c Blocked or Frozen"),
)
_TITLES = (
    ("GB FINANCE LIMITED",),
    ("NACH DEBIT RESPONSE", "Utility code NACH00000000041207"),
    ("Sponsor bank: HDFC Bank, Mumbai", "Currency: INR"),
)
_HEADINGS = (
    "Customer Name", "UMRN", "Settlement Date", "Amount (Rs.)", "Status",
    "Return Reason Code", "Return Reason", "Transaction Reference", "Narration",
)  # fmt: skip
_SIGNATURES = (
    ("Prepared by", "S. Kulkarni"),
    ("Authorised Signatory",),
    ("This is a computer generated statement",),
)


@dataclass(frozen=True)
class Debit:
    """One presentation of a mandate; `suffix` tells debits of one loan and day apart by their reference."""

    loan: Loan
    day: date
    suffix: str = ""

    @property
    def umrn(self) -> str:
        """The mandate that the bank was asked to debit."""
        on_second = self.loan.loan_id in {TWO_MANDATES, REISSUED} and self.day >= SECOND_DEBIT
        return self.loan.mandate(2 if on_second else 1)

    @property
    def paise(self) -> int:
        """The EMI, or half of it for a three-wheeler."""
        return self.loan.emi_paise if self.loan.vehicle is Vehicle.TWO_WHEELER else self.loan.emi_paise // 2

    @property
    def reference(self) -> str:
        """The bank's reference of this debit."""
        return f"GBN{self.day:%y%m%d}{self.loan.number}{self.suffix}"

    @property
    def is_returned(self) -> bool:
        """Whether the bank sent it back."""
        return self.loan.loan_id in RETURNED.get(self.day, ())

    def line(self) -> Line:
        """The debit as the response shows it."""
        style = self.loan.position
        code, reason = _REASONS[style % len(_REASONS)] if self.is_returned else ("", "")
        narration = f"EMI {self.day:%m/%Y}"
        return {
            "Customer Name": f"{self.loan.last_name}, {self.loan.first_name}",
            "UMRN": reference_text(self.umrn, style),
            "Settlement Date": f"{self.day:%d/%m/%Y}",
            "Amount (Rs.)": amount_text(self.paise, style),
            "Status": "Returned" if self.is_returned else (" success", "Success", "ACCEPTED")[style % 3],
            "Return Reason Code": code,
            "Return Reason": reason,
            "Transaction Reference": self.reference,
            "Narration": narration if style % 40 else f"{narration}\n{self.loan.vehicle}",
        }


def mandates() -> list[Mandate]:
    """GB's part of the UMRN master: one mandate a loan, but for those left out, doubled and replaced on purpose."""
    loans = [loan for loan in (*GB_LOANS, UNKNOWN_LOAN) if loan.loan_id not in NOT_IN_UMRN_MASTER]
    return [mandate for loan in loans for mandate in _mandates_of(loan)]


def _mandates_of(loan: Loan) -> list[Mandate]:
    first = Mandate(loan.umrn, loan.loan_id, "gb", loan.disbursed_on)
    second = replace(first, umrn=loan.mandate(2))
    if loan.loan_id == TWO_MANDATES:
        return [first, second]
    if loan.loan_id in {REISSUED, OLD_MANDATE_USED}:
        last_day = REISSUED_ON - timedelta(days=1)
        return [replace(first, valid_to=last_day), replace(second, valid_from=REISSUED_ON)]
    return [first]


def first_delivery() -> list[SampleFile]:
    """The response for 5 and 20 January, and three bad files."""
    presented_again = _response("20260123_no_amounts", _lines(_debits_presented_again()))
    return [
        _january_response(),
        SampleFile(f"{PREFIX}NACH_RESPONSE_GB_20260121_empty.csv", b""),
        _response("20260122_no_debits", []),
        replace(presented_again, body=_without_amounts(presented_again.body)),
    ]


def second_delivery() -> list[SampleFile]:
    """The response for 27 January, and the earlier one once more under another name."""
    resent = replace(_january_response(), key=f"{PREFIX}NACH_RESPONSE_GB_20260120_resent.csv")
    return [_response("20260128", [*_lines(_debits_presented_again()), *_lines_reported_again()]), resent]


def payments() -> list[Payment]:
    """Razorpay's reports: of most debits collected, of some that failed, and of some that GB's files do not place."""
    reported = [debit for debit in (*_january_debits(), *_debits_presented_again()) if _is_reported(debit)]
    failed = [Debit(_LOANS[loan_id], FIRST_DEBIT) for loan_id in FAILED_AT_RAZORPAY]
    return [
        *(_payment(debit, {"umrn": debit.umrn}) for debit in reported),
        *(_payment(debit, {"umrn": debit.umrn}, "payment.failed") for debit in failed),
        *(
            _payment(Debit(_LOANS[loan_id], FIRST_DEBIT), {"loan_id": loan_id})
            for loan_id in NOT_IN_UMRN_MASTER
        ),
    ]


def _is_reported(debit: Debit) -> bool:
    without_loan = (*NOT_IN_UMRN_MASTER, UNKNOWN_LOAN.loan_id)
    old_mandate = debit.loan.loan_id == OLD_MANDATE_USED and debit.day == SECOND_DEBIT
    historic = debit.day == HISTORIC
    silent = debit.loan.loan_id in (*NOT_REPORTED_BY_RAZORPAY, *without_loan)
    return not (debit.is_returned or old_mandate or historic or silent)


def _payment(debit: Debit, notes: dict[str, str], event: str = "payment.captured") -> Payment:
    """A debit as Razorpay sees it. Some are made just after midnight: in India a day later than in UTC."""
    hour = time(0, 40) if debit.loan.position % 10 == 4 else time(11, debit.loan.position % 60)  # noqa: PLR2004
    return Payment(
        gateway=Gateway.RAZORPAY,
        lender="gb",
        payment_id=f"pay_{debit.loan.number}N{debit.day:%m%d}{debit.suffix.strip('-') or '00':0>3}",
        amount=paise_to_rupees(debit.paise),
        paid_at=datetime.combine(debit.day, hour, tzinfo=IST),
        method="emandate" if debit.loan.position % 2 else "nach",
        notes=notes,
        events=(event,),
    )


def _january_response() -> SampleFile:
    return _response("20260120", [*_lines(_january_debits()), *_repeated_lines(), *_bad_lines()])


def _january_debits() -> list[Debit]:
    return [
        *(Debit(loan, FIRST_DEBIT) for loan in GB_LOANS),
        *(Debit(loan, SECOND_DEBIT) for loan in _THREE_WHEELERS),
        Debit(_LOANS[PAID_TWICE], FIRST_DEBIT, "B"),
        Debit(_LOANS[HISTORIC_PAYER], HISTORIC),
        Debit(UNKNOWN_LOAN, FIRST_DEBIT),
    ]


def _debits_presented_again() -> list[Debit]:
    """The returned debits once more. GB100163 owes both halves: two on one day."""
    returned = [loan_id for day in (FIRST_DEBIT, SECOND_DEBIT) for loan_id in RETURNED[day]]
    return [
        Debit(_LOANS[loan_id], THIRD_DEBIT, f"-{number:02d}")
        for number, loan_id in enumerate(returned, start=1)
    ]


def _lines(debits: Sequence[Debit]) -> list[Line]:
    return [debit.line() for debit in debits]


def _repeated_lines() -> list[Line]:
    return _lines([Debit(_LOANS[loan_id], FIRST_DEBIT) for loan_id in REPEATED])


def _lines_reported_again() -> list[Line]:
    return _lines([Debit(_LOANS[loan_id], FIRST_DEBIT) for loan_id in REPORTED_AGAIN])


def _bad_lines() -> list[Line]:
    """One fault a line; `expected` counts them one by one."""
    good = Debit(_LOANS[PAID_TWICE], FIRST_DEBIT).line()
    faults: list[Line] = [
        {"Settlement Date": "31/02/2026"},
        {"Settlement Date": "8 January"},
        {"Amount (Rs.)": "#REF!"},
        {"Amount (Rs.)": "5,49,90.00"},
        {"Amount (Rs.)": "0.00"},
        {"UMRN": ""},
        {"UMRN": "5.02E+13"},
        {"Status": "Under process"},
    ]
    numbered = [
        {**good, "Transaction Reference": f"GBNX{number:02d}", **fault}
        for number, fault in enumerate(faults, 1)
    ]
    other_amount = {**good, "Amount (Rs.)": "999.00"}  # under the reference of a debit above
    cut_off = {heading: good[heading] for heading in ("Customer Name", "UMRN", "Settlement Date")}
    return [*numbered, other_amount, cut_off]


def _response(name: str, lines: Sequence[Line]) -> SampleFile:
    rows = [[str(number), *line.values()] for number, line in enumerate(lines, start=1)]
    total = ("Total", f"{len(rows)} debits presented")
    table = [*_TITLES, ("Sr. No.", *_HEADINGS), *rows, total, (), *_SIGNATURES]
    return SampleFile(f"{PREFIX}NACH_RESPONSE_GB_{name}.csv", csv_bytes(table))


def _without_amounts(body: bytes) -> bytes:
    """The same response from somebody who left the amount's heading blank."""
    return body.replace(b"Amount (Rs.)", b"")
