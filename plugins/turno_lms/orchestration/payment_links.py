"""The steps of the DAGs about payment links, and the wiring of a lender's account: gateway, Fineract and warehouse."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.domain.dates import ist_date
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkPurpose
from turno_lms.lenders.accounts import connection_id, find_account
from turno_lms.lenders.payment_links import PaymentLinkPolicy
from turno_lms.lenders.registry import LenderRegistry, load_lenders
from turno_lms.lenders.schema import Lender
from turno_lms.orchestration.connections import fineract_client
from turno_lms.orchestration.repairs import lender_named
from turno_lms.orchestration.runs import current_run, flag_param, text_param
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect, is_built

if TYPE_CHECKING:
    from turno_lms.payment_links.dues import Dues
    from turno_lms.payment_links.plan import Plan
    from turno_lms.payment_links.selection import Selection
    from turno_lms.payment_links.send import Account, Tools

_logger = logging.getLogger(__name__)
PURPOSES = [str(purpose) for purpose in LinkPurpose]


class NoAccountError(RuntimeError):
    """A lender's account has no Airflow connection."""


@contextmanager
def dues_of(lender: Lender, run: RunContext) -> Iterator["Dues"]:
    """What the lender's loans owe, from Fineract; one for each thread."""
    from turno_lms.payment_links.dues import FineractDues

    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        yield FineractDues(client, conn, lender.fineract.product_id)


def link_account(lender: Lender, gateway: str, run: RunContext) -> "Account":
    """A lender's account at a gateway, also one that its mapping has left since. Raises NoAccountError."""
    from turno_lms.payment_links.cashfree_links import CashfreeLinks
    from turno_lms.payment_links.http import Recorder
    from turno_lms.payment_links.links import LinkGateway
    from turno_lms.payment_links.razorpay_links import RazorpayLinks
    from turno_lms.payment_links.send import Account, Tools

    found = find_account(gateway, lender.slug)
    if found is None:
        raise NoAccountError(f"there is no Airflow connection {connection_id(gateway, lender.slug)}")
    clients: dict[str, Callable[[str, str, str, Recorder], LinkGateway]] = {
        "razorpay": RazorpayLinks,
        "cashfree": CashfreeLinks,
    }

    @contextmanager
    def tools(record: Recorder) -> Iterator["Tools"]:
        with dues_of(lender, run) as dues:
            yield Tools(clients[gateway](found.base_url, found.login, found.secret, record), dues)

    @contextmanager
    def open_warehouse() -> Iterator[WarehouseConnection]:
        with connect(Role.POSTER, autocommit=True) as conn:
            yield conn

    policy = lender.payment_links or PaymentLinkPolicy.model_validate({"gateway": gateway})
    return Account(lender.slug, policy.model_copy(update={"gateway": gateway}), open_warehouse, tools)


def plan(
    lender: Lender, selection: "Selection", purpose: LinkPurpose, run: RunContext, *, dry_run: bool
) -> "Plan":
    """Quote the selected loans and plan their links, or (dry run) show what would be planned.

    Raises SelectionError when the lender's mapping has no payment links, or nothing is known to be overdue yet.
    """
    from turno_lms.payment_links.plan import LinkRequest, overdue_loans, plan_links, quote_loans
    from turno_lms.payment_links.selection import SelectionError

    policy = lender.payment_links
    if policy is None:
        raise SelectionError(f"the mapping of {lender.slug} has no section payment_links")
    with connect(Role.POSTER, autocommit=True) as conn:
        loan_ids = selection.loan_ids
        if selection.overdue_days is not None:
            if not is_built(conn, "core.core_loan_master"):
                raise SelectionError("no loan is known yet: run reconcile_loans and build_warehouse")
            today = ist_date(datetime.now(UTC))
            loan_ids = overdue_loans(conn, lender.slug, selection.overdue_days, today)
        quoted = quote_loans(lambda: dues_of(lender, run), loan_ids, purpose, policy.minimum)
        return plan_links(conn, LinkRequest(lender.slug, policy, purpose), quoted, run, dry_run=dry_run)


def standing_rules(registry: LenderRegistry) -> list[tuple[Lender, "Selection", LinkPurpose]]:
    """What the schedule makes links for: the lenders whose mapping has `payment_links.automatic`."""
    from turno_lms.payment_links.selection import Selection

    return [
        (lender, Selection(overdue_days=policy.automatic.overdue_days), LinkPurpose(policy.automatic.amount))
        for lender in registry.values()
        if (policy := lender.payment_links) and policy.automatic
    ]


def choose_links() -> dict[str, Any]:
    """Plan what the form asks for, or on schedule what the mappings' own rules do; the plan as text is in the log."""
    from turno_lms.payment_links.selection import SelectionError, read_selection

    context, run = get_current_context(), current_run()
    if context["dag_run"].run_type == "scheduled":
        plans = [
            plan(lender, selection, purpose, run, dry_run=False)
            for lender, selection, purpose in standing_rules(load_lenders())
        ]
        return _told(plans, dry_run=False)
    dry_run = flag_param("dry_run")
    try:
        selection = read_selection(
            text_param("loans"), text_param("csv"), context["params"].get("overdue_days")
        )
        purpose = LinkPurpose(text_param("amount") or "")
        lender = lender_named(text_param("lender"))
        return _told([plan(lender, selection, purpose, run, dry_run=dry_run)], dry_run=dry_run)
    except (SelectionError, ValueError) as refused:
        raise AirflowFailException(str(refused)) from None


def _told(plans: "list[Plan]", *, dry_run: bool) -> dict[str, Any]:
    for one in plans:
        _logger.info("%s:\n%s", "Would be planned" if dry_run else "Planned", one.text())
    return {"dry_run": dry_run, "plans": [one.to_dict() | {"loans": one.text()} for one in plans]}


def accounts_with_links() -> list[dict[str, str]]:
    """Every account with links that are planned, out, or to be quoted anew."""
    from turno_lms.payment_links.statements import STATEMENTS

    with connect(Role.POSTER) as conn:
        return [dict(row) for row in conn.execute(STATEMENTS["accounts_with_links"])]


def send_account(account: dict[str, str]) -> dict[str, Any]:
    """Send what an account has planned; fails for a share of refusals that the mapping does not bear.

    What must wait longer raises for a retry, which goes on where this one stopped.
    """
    from turno_lms.payment_links.send import AccountBusyError, send_links

    run = current_run()
    try:
        target = link_account(lender_named(account["lender"]), account["gateway"], run)
        report = send_links(target, run)
    except NoAccountError as missing:
        raise AirflowFailException(str(missing)) from None
    except AccountBusyError as busy:
        raise AirflowSkipException(str(busy)) from None
    for failure in report.failures:
        _logger.warning("refused: %s", failure)
    if report.failed_percent > target.policy.failed_percent:
        raise AirflowFailException(
            f"{report.failed_percent} percent of the links were refused: see core.core_payment_link.end_reason"
        )
    if report.waiting:
        raise RuntimeError(f"{report.waiting} links wait for another try: a retry goes on with them")
    return report.to_dict()


def cancel_links() -> int:
    """Have the links of the form cancelled by the next refresh; returns how many."""
    from turno_lms.payment_links.cancel import CancelError, request_cancel

    numbers = get_current_context()["params"].get("link_ids") or []
    with connect(Role.POSTER) as conn:
        try:
            return request_cancel(
                conn,
                [int(number) for number in numbers],
                text_param("reason") or "",
                current_run(),
                requote=flag_param("requote"),
            )
        except (CancelError, ValueError) as refused:
            raise AirflowFailException(str(refused)) from None


def take_webhooks() -> dict[str, int]:
    """Take what webhooks told of links since the last reading."""
    from turno_lms.payment_links.webhooks import read_webhooks

    with connect(Role.POSTER, autocommit=True) as conn:
        return read_webhooks(conn, current_run())


def refresh_account(account: dict[str, str]) -> dict[str, Any]:
    """Poll, cancel and quote anew at one account, then send what was planned."""
    from turno_lms.payment_links.refresh import POLL_EVERY
    from turno_lms.payment_links.refresh import refresh_account as refresh
    from turno_lms.payment_links.send import AccountBusyError

    run, every_link = current_run(), flag_param("every_link")
    poll_every = timedelta(0) if every_link else POLL_EVERY
    try:
        target = link_account(lender_named(account["lender"]), account["gateway"], run)
        done = refresh(target, run, poll_every=poll_every, check_every_link=every_link)
    except (NoAccountError, AccountBusyError) as reason:
        raise AirflowSkipException(str(reason)) from None
    return {"refreshed": done, "sent": send_account(account)}


def raise_link_questions() -> dict[str, int]:
    """Open and clear the exceptions about links."""
    from turno_lms.payment_links.questions import raise_questions

    with connect(Role.POSTER) as conn:
        return raise_questions(conn, current_run())
