"""A process to be killed: plans links for the loans of a campaign and sends until none is left.

It runs the room's own code against the gateways' stand-in. What is its own: loans whose dues follow from their number,
and, to show that the campaign notices, one planted bug (`--bug`).
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.payment_links.desk import DUE, RUN, gateway_client
from turno_lms.domain.money import paise_to_rupees
from turno_lms.domain.states import LinkPurpose, LinkState
from turno_lms.lenders.payment_links import PaymentLinkPolicy
from turno_lms.payment_links import send
from turno_lms.payment_links.dues import Quote
from turno_lms.payment_links.http import Recorder, Timeouts
from turno_lms.payment_links.links import Customer, LinkOrder, LinkUnknownError
from turno_lms.payment_links.plan import LinkRequest, plan_links, quote_loans
from turno_lms.payment_links.send import Account, Tools, send_links
from turno_lms.payment_links.token_bucket import TokenBucket
from turno_lms.warehouse.connection import WarehouseConnection, connect

APPLICATION = "linking_process"
TIMEOUTS = Timeouts(connect=2.0, read=0.5)
FIRST_LOAN = 400_001


class NumberedLoans:
    """Every loan owes its number in paise, above a thousand rupees."""

    def quote(self, loan_id: str, purpose: LinkPurpose) -> Quote:  # noqa: ARG002
        number = int(loan_id.removeprefix("AXL"))
        return Quote(loan_id, number, paise_to_rupees(100_000 + number), DUE)

    def customer(self, client_id: int) -> Customer:
        return Customer(f"Borrower {client_id}", f"9{client_id:09d}")


def loan_ids(links: int) -> list[str]:
    """The loans of a campaign of so many links."""
    return [f"AXL{number}" for number in range(FIRST_LOAN, FIRST_LOAN + links)]


def make_links(
    warehouse_url: str, gateway_url: str, gateway: str, links: int, bucket: TokenBucket, patience_seconds: int
) -> None:
    """Plan what is not planned, send what is not sent."""
    policy = PaymentLinkPolicy.model_validate({"gateway": gateway})

    @contextmanager
    def warehouse() -> Iterator[WarehouseConnection]:
        with connect(warehouse_url, application_name=APPLICATION, autocommit=True) as conn:
            yield conn

    @contextmanager
    def dues() -> Iterator[NumberedLoans]:
        yield NumberedLoans()

    @contextmanager
    def tools(record: Recorder) -> Iterator[Tools]:
        yield Tools(gateway_client(gateway_url, gateway, record, TIMEOUTS), NumberedLoans())

    quoted = quote_loans(dues, loan_ids(links), LinkPurpose.EMI, policy.minimum)
    with warehouse() as conn:
        plan_links(conn, LinkRequest("axle", policy, LinkPurpose.EMI), quoted, RUN, dry_run=False)
    account = Account("axle", policy, warehouse, tools)
    send_links(account, RUN, bucket=bucket, patience_seconds=patience_seconds)


# ---------------------------------------------------------------- planted bugs


def new_reference_per_try() -> None:
    """Each try has a reference of its own, so that the gateway cannot know it again."""
    order = send._Sender._order

    def other_reference(self: Any, row: Any, customer: Any) -> LinkOrder:
        made = order(self, row, customer)
        return (
            made
            if row["tries"] == 1
            else LinkOrder(**{**vars(made), "reference": f"{made.reference}{row['tries']}"})
        )

    send._Sender._order = other_reference  # type: ignore[method-assign]


def lost_answer_taken_for_a_refusal() -> None:
    """What had no answer counts as failed, and the next plan makes another attempt of it."""
    later = send._Sender._later

    def failed(self: Any, conn: Any, row: Any, error: Any, pause_seconds: Any, outcome: Any) -> str:
        if isinstance(error, LinkUnknownError):
            return self._ended(conn, row | {"state": LinkState.SENDING}, LinkState.FAILED, "lost")  # type: ignore[no-any-return]
        return later(self, conn, row, error, pause_seconds, outcome)

    send._Sender._later = failed  # type: ignore[method-assign]


def lost_answer_taken_for_success() -> None:
    """What had no answer counts as made."""
    later = send._Sender._later

    def made(self: Any, conn: Any, row: Any, error: Any, pause_seconds: Any, outcome: Any) -> str:
        if isinstance(error, LinkUnknownError):
            conn.execute(
                "update core.core_payment_link set state = 'open' where link_id = %s", (row["link_id"],)
            )
            return "opened"
        return later(self, conn, row, error, pause_seconds, outcome)

    send._Sender._later = made  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (new_reference_per_try, lost_answer_taken_for_a_refusal, lost_answer_taken_for_success)
}


def main() -> None:
    """Make the links; end with status 0 when none is left to be sent."""
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse_url")
    parser.add_argument("gateway_url")
    parser.add_argument("--gateway", default="razorpay")
    parser.add_argument("--links", type=int, required=True)
    parser.add_argument("--per-second", type=int, default=1000)
    parser.add_argument("--patience-seconds", type=int, default=30)
    parser.add_argument("--bug", choices=BUGS)
    given = parser.parse_args()
    if given.bug:
        BUGS[given.bug]()
    bucket = TokenBucket(given.per_second)
    make_links(
        given.warehouse_url, given.gateway_url, given.gateway, given.links, bucket, given.patience_seconds
    )


if __name__ == "__main__":
    main()
