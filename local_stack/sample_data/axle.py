"""Axle Capital: borrowers pay a quarter of the EMI every week through Razorpay, whose settlement report is evidence."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from local_stack.gateways.payments import Gateway, Payment
from local_stack.gateways.webhooks import Webhook, razorpay_payment
from local_stack.sample_data.book import AXLE_LOANS, Loan, Vehicle, by_id
from local_stack.sample_data.samples import Line, SampleFile
from local_stack.sample_data.texts import csv_bytes
from turno_lms.domain.dates import IST
from turno_lms.domain.money import paise_to_rupees

PREFIX = "lenders/axle/razorpay_settlement/"
WEEKS = (date(2026, 1, 5), date(2026, 1, 12), date(2026, 1, 19), date(2026, 1, 26))
LAST_WEEK = WEEKS[-1]

NOT_YET_SETTLED = (
    "AXL300304",
    "AXL300318",
    "AXL300336",
    "AXL300352",
)  # paid on the 26th, in no report so far
WITHOUT_WEBHOOK = ("AXL300307", "AXL300333")  # in the report; the webhook never came
FAILED_FIRST = "AXL300312"  # the payment of the 12th failed before it was captured
FAILED_ONLY = ("AXL300306", "AXL300319", "AXL300342")
TWO_PART_PAYMENTS = "AXL300330"  # two payments of 500.00 on one day
DELIVERED_TWICE = (
    "AXL300302",
    "AXL300315",
    "AXL300328",
    "AXL300350",
)  # first week: every webhook comes three times
REGISTERED_MANDATE = "AXL300303"
HISTORIC_PAYER = "AXL300310"
UNKNOWN_LOAN = Loan(AXLE_LOANS[0].product, 300_999, 0, Vehicle.TWO_WHEELER)  # Fineract does not know it
REFUNDED = "AXL300345"  # the payment of the 26th went back to the borrower
PAYS_BY_LINK = (
    "AXL300320"  # besides its weekly payments: the first instalment, on the 28th, through a payment link
)
LINK_REFERENCE = (
    "AXL300320_E251117_1"  # lent on 17 October 2025, so that the first instalment is due on 17 November
)
REPEATED = ("AXL300301", "AXL300325", "AXL300360")  # lines that stand twice in the report

_LOANS = by_id(AXLE_LOANS)
_HEADINGS = (
    "transaction_entity", "entity_id", "amount", "currency", "fee (exclusive tax)", "tax", "debit", "credit",
    "payment_method", "card_type", "issuer_name", "entity_created_at", "payment_captured_at", "payment_notes",
    "refund_notes", "arn", "entity_description", "order_id", "order_receipt", "order_notes", "dispute_id",
    "dispute_created_at", "dispute_reason", "settlement_id", "settled_at", "settlement_utr", "settled_by",
)  # fmt: skip
_FEE_RATE, _TAX_RATE = Decimal("0.02"), Decimal("0.18")
_PAISA = Decimal("0.01")
_JUST_AFTER_MIDNIGHT = 4
_A_DAY_IN_SECONDS = 86_400


@dataclass(frozen=True)
class LinkPayment:
    """A borrower's payment of an order; `number` counts the loan's orders."""

    loan: Loan
    day: date
    number: int
    rupees: Decimal

    @property
    def payment_id(self) -> str:
        """Razorpay's id of the payment."""
        return f"pay_{self.loan.number}A{self.day:%m%d}{self.number:03d}"

    @property
    def receipt(self) -> str:
        """Our reference at the order: loan id and number of the order."""
        return f"{self.loan.loan_id}_{self.number}"

    @property
    def paid_at(self) -> datetime:
        """Some pay just after midnight: in India a day later than in UTC."""
        position = self.loan.position
        at = (
            time(0, 20)
            if position % 10 == _JUST_AFTER_MIDNIGHT
            else time(10 + self.number % 8, position % 60)
        )
        return datetime.combine(self.day, at, tzinfo=IST)

    def webhooks(self, *events: str, copies: int = 1) -> Payment:
        """The payment at the gateway, which names the loan in the notes or only in the order's receipt."""
        way = self.loan.position % 3
        usual = (
            ("payment.captured",),
            ("payment.captured", "order.paid"),
            ("payment.authorized", "payment.captured", "payment_link.paid"),
        )[way]
        only_in_receipt = way == 1
        return Payment(
            gateway=Gateway.RAZORPAY,
            lender="axle",
            payment_id=self.payment_id,
            amount=self.rupees,
            paid_at=self.paid_at,
            notes={} if only_in_receipt else {"loan_id": self.loan.loan_id},
            receipt=self.receipt,
            reference_id=self.receipt,
            events=events or usual,
            copies=copies,
        )

    def line(self) -> Line:
        """The payment in the settlement report: gross, Razorpay's fee, the tax on it, and what is left."""
        fee = (self.rupees * _FEE_RATE).quantize(_PAISA)
        tax = (fee * _TAX_RATE).quantize(_PAISA)
        style = self.loan.position
        written = self.paid_at.strftime("%Y-%m-%d %H:%M:%S" if style % 4 == 0 else "%d/%m/%Y %H:%M:%S")
        receipt = self.receipt.lower() if style % 11 == 3 else self.receipt  # noqa: PLR2004
        filled = {
            "transaction_entity": "payment",
            "entity_id": self.payment_id,
            "amount": f"{self.rupees:.2f}",
            "currency": "INR",
            "fee (exclusive tax)": f"{fee}",
            "tax": f"{tax}",
            "debit": "0.00",
            "credit": f"{self.rupees - fee - tax:.2f}",
            "payment_method": "upi",
            "entity_created_at": written,
            "payment_captured_at": written,
            "payment_notes": "[]" if style % 3 == 1 else f'{{"loan_id":"{self.loan.loan_id}"}}',
            "entity_description": f"EMI, order {self.number}",
            "order_receipt": receipt,
            "settlement_id": f"setl_{self.day:%y%m%d}Axle0001",
            "settled_at": f"{self.day:%d/%m/%Y} 23:00:00",
            "settlement_utr": f"AXISN{self.day:%y%m%d}0001",
            "settled_by": "Razorpay",
        }
        return {heading: filled.get(heading, "") for heading in _HEADINGS}


def files() -> list[SampleFile]:
    """January's settlement report, and an older one that is too wrong to be loaded."""
    return [
        _report("settlement_report_2026-01.csv", [*_settled_lines(), *_repeated_lines(), *_bad_lines()]),
        _report("settlement_report_2025-12.csv", _mostly_wrong_lines()),
    ]


def payments() -> list[Payment]:
    """What Razorpay announces: the weekly payments but those whose webhook never came, and odd ones."""
    weekly = [payment for payment in _weekly_payments() if not _webhook_was_lost(payment)]
    return [*(_announced(payment) for payment in weekly), *_odd_payments()]


def paid_by_link() -> LinkPayment:
    """What the borrower pays through the link; the gateway announces it when that happens."""
    return LinkPayment(_LOANS[PAYS_BY_LINK], date(2026, 1, 28), 7, Decimal("4550.00"))


def refund() -> Webhook:
    """Razorpay's announcement that a payment went back. It arrives before that of the payment: no order is promised."""
    paid = next(
        payment
        for payment in _weekly_payments()
        if payment.day == LAST_WEEK and payment.loan.loan_id == REFUNDED
    ).webhooks()
    entity = razorpay_payment(paid) | {
        "status": "refunded",
        "amount_refunded": paid.paise,
        "refund_status": "full",
    }
    refunded = {
        "id": f"rfnd_{paid.payment_id.removeprefix('pay_')}",
        "entity": "refund",
        "amount": paid.paise,
        "currency": "INR",
        "payment_id": paid.payment_id,
        "status": "processed",
    }
    body = {
        "entity": "event",
        "event": "refund.processed",
        "contains": ["refund", "payment"],
        "payload": {"refund": {"entity": refunded}, "payment": {"entity": entity}},
        "created_at": int(paid.paid_at.timestamp()) + _A_DAY_IN_SECONDS,
    }
    return Webhook(
        paid.gateway, "axle", paid.payment_id, "refund.processed", "refundAXL3003", json.dumps(body).encode()
    )


def _weekly_payments() -> list[LinkPayment]:
    return [
        LinkPayment(loan, day, number, paise_to_rupees(loan.emi_paise // len(WEEKS)))
        for number, day in enumerate(WEEKS, start=1)
        for loan in AXLE_LOANS
    ]


def _webhook_was_lost(payment: LinkPayment) -> bool:
    return payment.day == LAST_WEEK and payment.loan.loan_id in WITHOUT_WEBHOOK


def _announced(payment: LinkPayment) -> Payment:
    loan_id = payment.loan.loan_id
    if loan_id == FAILED_FIRST and payment.day == WEEKS[1]:
        return payment.webhooks("payment.failed", "payment.captured")
    copies = 3 if loan_id in DELIVERED_TWICE and payment.day == WEEKS[0] else 1
    return payment.webhooks(copies=copies)


def _part_payments() -> list[LinkPayment]:
    loan = _LOANS[TWO_PART_PAYMENTS]
    return [LinkPayment(loan, date(2026, 1, 8), number, Decimal("500.00")) for number in (5, 6)]


def _historic_payment() -> LinkPayment:
    return LinkPayment(_LOANS[HISTORIC_PAYER], date(2025, 12, 29), 0, Decimal("750.00"))


def _payment_of_unknown_loan() -> LinkPayment:
    return LinkPayment(UNKNOWN_LOAN, date(2026, 1, 9), 1, Decimal("1000.00"))


def _registration() -> LinkPayment:
    return LinkPayment(_LOANS[REGISTERED_MANDATE], date(2026, 1, 6), 9, Decimal("0.00"))


def _walk_in() -> LinkPayment:
    """A payment whose order names no loan."""
    return LinkPayment(UNKNOWN_LOAN, date(2026, 1, 9), 2, Decimal("1200.00"))


def _odd_payments() -> list[Payment]:
    failed = [LinkPayment(_LOANS[loan_id], date(2026, 1, 6), 8, Decimal("900.00")) for loan_id in FAILED_ONLY]
    nameless = _walk_in().webhooks("payment.captured", "order.paid")
    return [
        *(payment.webhooks("payment.failed") for payment in failed),
        *(payment.webhooks() for payment in _part_payments()),
        _historic_payment().webhooks(),
        _payment_of_unknown_loan().webhooks(),
        _registration().webhooks().model_copy(update={"method": "emandate"}),
        nameless.model_copy(update={"notes": {}, "receipt": "WALK-IN"}),
    ]


def _settled_lines() -> list[Line]:
    settled = [
        payment
        for payment in _weekly_payments()
        if not (payment.day == LAST_WEEK and payment.loan.loan_id in NOT_YET_SETTLED)
    ]
    refund = {**settled[0].line(), "transaction_entity": "refund", "entity_id": "rfnd_300301A0105001"}
    adjustment = {**settled[1].line(), "transaction_entity": "adjustment", "entity_id": "adj_300302A0105001"}
    odd = (*_part_payments(), _historic_payment(), _payment_of_unknown_loan(), _registration())
    by_link = paid_by_link().line() | {"order_receipt": LINK_REFERENCE}
    return [*(payment.line() for payment in (*settled, *odd)), by_link, refund, adjustment]


def _repeated_lines() -> list[Line]:
    return [
        payment.line() for payment in _weekly_payments() if payment.day == WEEKS[0] and _is_repeated(payment)
    ]


def _is_repeated(payment: LinkPayment) -> bool:
    return payment.loan.loan_id in REPEATED


def _bad_lines() -> list[Line]:
    """One fault a line; `expected` counts them one by one."""
    good = _weekly_payments()[0].line()
    faults: list[Line] = [
        {"entity_created_at": "2026-01-32 10:00:00"},
        {"amount": "1,611.75"},
        {"order_receipt": "WALK-IN"},
        {"transaction_entity": "chargeback"},
        {"currency": "USD"},
        {"entity_id": ""},
    ]
    numbered = [
        {**good, "entity_id": f"pay_badline{number:07d}", **fault} for number, fault in enumerate(faults, 1)
    ]
    cut_off = {heading: good[heading] for heading in _HEADINGS[:5]}
    return [*numbered, cut_off]


def _mostly_wrong_lines() -> list[Line]:
    """A report saved with the month first: four of its five dates make no sense."""
    good = [payment.line() for payment in _weekly_payments()[:5]]
    dates = ("12/05/2025", "12/15/2025", "12/19/2025", "12/22/2025", "12/29/2025")
    return [{**line, "entity_created_at": f"{day} 10:00:00"} for line, day in zip(good, dates, strict=True)]


def _report(name: str, lines: Sequence[Line]) -> SampleFile:
    return SampleFile(f"{PREFIX}{name}", csv_bytes([_HEADINGS, *(list(line.values()) for line in lines)]))
