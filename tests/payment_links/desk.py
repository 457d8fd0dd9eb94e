"""A lender's payment links in a warehouse: the room's own code, the real gateways' stand-in, and dues that a test sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET, CASHFREE_CLIENT_ID
from tests.dbt.landing import AXLE, put_lender
from tests.gateways.standin import Standin
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkPurpose, LinkSkip
from turno_lms.lenders.payment_links import PaymentLinkPolicy
from turno_lms.payment_links.cashfree_links import CashfreeLinks
from turno_lms.payment_links.dues import Quote
from turno_lms.payment_links.http import LinkCall, Recorder, Timeouts
from turno_lms.payment_links.links import Customer, LinkGateway
from turno_lms.payment_links.plan import LinkRequest, Plan, plan_links, quote_loans
from turno_lms.payment_links.razorpay_links import RazorpayLinks
from turno_lms.payment_links.refresh import refresh_account
from turno_lms.payment_links.send import Account, SendReport, Tools, send_links
from turno_lms.warehouse.connection import Row, WarehouseConnection, connect

RUN = RunContext("create_payment_links", "manual__1", actor="asha")
DUE = date(2026, 1, 5)
PHONE = "9000000001"
QUICK = Timeouts(connect=2.0, read=0.3)
"""A caller that gives up soon, so that a hung gateway costs a test little."""


@dataclass
class LoanBook:
    """What the loans of a test owe, in place of Fineract."""

    owed: dict[str, Quote | LinkSkip] = field(default_factory=dict)
    phones: dict[int, str] = field(default_factory=dict)

    def owes(self, loan_id: str, rupees: str, due_on: date = DUE) -> None:
        """Set what a loan owes."""
        number = int("".join(sign for sign in loan_id if sign.isdigit()))
        self.owed[loan_id] = Quote(loan_id, number, Decimal(rupees), due_on)

    def quote(self, loan_id: str, purpose: LinkPurpose) -> Quote | LinkSkip:  # noqa: ARG002
        return self.owed.get(loan_id, LinkSkip.UNKNOWN_LOAN)

    def customer(self, client_id: int) -> Customer | None:
        phone = self.phones.get(client_id, PHONE)
        return Customer("Asha Verma", phone, "asha@example.in") if phone else None


def gateway_client(
    url: str, gateway: str, record: Recorder, timeouts: Timeouts, secret: str = API_KEY_SECRET
) -> LinkGateway:
    """A client of axle's account."""
    if gateway == "cashfree":
        return CashfreeLinks(url, f"{CASHFREE_CLIENT_ID}_axle", secret, record, timeouts)
    return RazorpayLinks(url, f"{API_KEY_ID}_axle", secret, record, timeouts)


@dataclass
class Desk:
    """Axle's links at one gateway."""

    conn: WarehouseConnection
    app: WarehouseConnection
    app_url: str
    standin: Standin
    gateway: str = "razorpay"
    book: LoanBook = field(default_factory=LoanBook)
    secret: str = API_KEY_SECRET
    timeouts: Timeouts = QUICK
    policy_fields: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        put_lender(self.conn, AXLE)

    @property
    def account(self) -> Account:
        """What the room works with."""
        fields = {"gateway": self.gateway, "rate_per_second": 100, "notify": ["sms", "email"]}
        policy = PaymentLinkPolicy.model_validate(fields | self.policy_fields)

        @contextmanager
        def tools(record: Recorder) -> Iterator[Tools]:
            client = gateway_client(self.standin.url, self.gateway, record, self.timeouts, self.secret)
            yield Tools(client, self.book)

        @contextmanager
        def open_warehouse() -> Iterator[WarehouseConnection]:
            with connect(self.app_url, autocommit=True) as conn:
                yield conn

        return Account("axle", policy, open_warehouse, tools)

    def plan(self, *loan_ids: str, purpose: LinkPurpose = LinkPurpose.EMI, dry_run: bool = False) -> Plan:
        """Quote and plan links for these loans."""

        @contextmanager
        def dues() -> Iterator[LoanBook]:
            yield self.book

        policy = self.account.policy
        quoted = quote_loans(dues, loan_ids, purpose, policy.minimum)
        return plan_links(self.app, LinkRequest("axle", policy, purpose), quoted, RUN, dry_run=dry_run)

    def send(self, patience_seconds: float = 20.0) -> SendReport:
        """Send what is planned."""
        return send_links(self.account, RUN, patience_seconds=patience_seconds)

    def refresh(self, **options: Any) -> dict[str, int]:
        """Poll, cancel and plan anew."""
        return refresh_account(self.account, RUN, **options)

    def links(self, loan_id: str | None = None) -> list[Row]:
        """The rows of a loan, or all, oldest first."""
        query = "select * from core.core_payment_link where %(loan)s::text is null or loan_id = %(loan)s order by link_id"
        return self.conn.execute(query, {"loan": loan_id}).fetchall()

    def link(self, loan_id: str) -> Row:
        """The only link of a loan."""
        (row,) = self.links(loan_id)
        return row

    def states(self, loan_id: str) -> list[str]:
        """The states of a loan's links, oldest first."""
        return [row["state"] for row in self.links(loan_id)]

    def at_gateway(self, loan_id: str) -> list[dict[str, Any]]:
        """A loan's links that exist at the gateway."""
        return [link for link in self.standin.links() if link["reference"].startswith(f"{loan_id}_")]

    def calls(self, reference: str) -> list[Row]:
        """What was asked about a link."""
        query = "select * from raw.raw_payment_link_call where reference = %s order by call_id"
        return self.conn.execute(query, (reference,)).fetchall()

    def post(self, loan_id: str, posting_key: str, amount: str = "100.00") -> None:
        """A payment of the loan that the ledger has posted just now."""
        self.conn.execute(
            "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date, amount,"
            " fineract_transaction_id, attempts, processed_by_run) values (%s, 'posted', 'axle', %s, %s, %s, 1, 1, 'r')",
            (posting_key, loan_id, DUE, amount),
        )

    def identify(
        self, gateway_payment_reference: str, loan_id: str, posting_key: str, amount: str = "100.00"
    ) -> None:
        """The identity step has seen a gateway payment."""
        self.conn.execute(
            "insert into core.core_payment_identity (native_reference, posting_key, source_key, occurrence, lender, loan_id,"
            " business_date, amount, stream, channel, gateway_payment_reference, matched_by, is_posting_channel)"
            " values (%(ref)s, %(key)s, %(key)s, 1, 'axle', %(loan)s, %(day)s, %(amount)s, 'gateway_payments', 'razorpay',"
            " %(ref)s, 'first_sight', true)",
            {
                "ref": gateway_payment_reference,
                "key": posting_key,
                "loan": loan_id,
                "day": DUE,
                "amount": amount,
            },
        )


def no_record(_: LinkCall) -> None:
    """For calls that a test makes for itself."""
