"""Planned links, made at the gateway: stored before the call, looked up after a lost answer, never made twice.

The table is the queue. Each thread takes one due row at a time; a row is in `sending` from before its call until the
answer is stored, so that whoever comes after a kill looks it up by its reference first. The gateway takes a reference
once, which is why a call that is repeated all the same makes nothing twice. One run at a time works on an account.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from turno_lms.domain.money import indian_rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkPurpose, LinkSkip, LinkState, advance
from turno_lms.fineract.errors import FineractError
from turno_lms.lenders.payment_links import PaymentLinkPolicy
from turno_lms.payment_links.dues import Dues, Quote
from turno_lms.payment_links.evidence import POLL, apply_evidence, change_state, write_calls
from turno_lms.payment_links.http import LinkCall, Recorder, without_personal_data
from turno_lms.payment_links.links import (
    LinkAccountError,
    LinkError,
    LinkExistsError,
    LinkGateway,
    LinkNotFoundError,
    LinkOrder,
    LinkRefusedError,
    RateLimitedError,
)
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.payment_links.token_bucket import TokenBucket
from turno_lms.warehouse.connection import Row, WarehouseConnection

SENDERS = 4
LONGEST_PAUSE_SECONDS = 60.0
_NEAREST_EXPIRY = timedelta(hours=1)
_IDLE_SECONDS = 0.2
_FAILURES_SHOWN = 50
DUES_CHANGED = "dues_changed"
"""Why a link ended for which another one is planned."""
_PURPOSE_TEXT = {
    LinkPurpose.EMI: "EMI of {due:%d %b %Y}",
    LinkPurpose.OVERDUE: "Overdue up to {due:%d %b %Y}",
    LinkPurpose.OUTSTANDING: "Outstanding",
}


class AccountBusyError(RuntimeError):
    """Another run works on the account: it takes the same rows, so nothing is left undone."""


@dataclass(frozen=True)
class Tools:
    """What one thread works with."""

    gateway: LinkGateway
    dues: Dues


ToolsFactory = Callable[[Recorder], AbstractContextManager[Tools]]
Connect = Callable[[], AbstractContextManager[WarehouseConnection]]


@dataclass(frozen=True)
class Account:
    """A lender's account at a gateway, with how it may be asked."""

    lender: str
    policy: PaymentLinkPolicy
    connect: Connect = field(repr=False)
    tools: ToolsFactory = field(repr=False)

    @property
    def key(self) -> dict[str, str]:
        """The account as statements name it."""
        return {"lender": self.lender, "gateway": self.policy.gateway}


@dataclass
class SendReport:
    """What became of each row that a run took: by outcome, and the refused ones with their reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    waiting: int = 0

    @property
    def failed_percent(self) -> int:
        """Share of the links that were refused, in whole percent."""
        ended = self.outcomes["opened"] + self.outcomes["adopted"] + self.outcomes["failed"]
        return self.outcomes["failed"] * 100 // ended if ended else 0

    def to_dict(self) -> dict[str, Any]:
        """As JSON for a log or an XCom."""
        return {
            **dict(sorted(self.outcomes.items())),
            "waiting": self.waiting,
            "failures": self.failures[:_FAILURES_SHOWN],
        }


@contextmanager
def account_lock(conn: WarehouseConnection, account: Account) -> Iterator[None]:
    """Hold an account for this run; `conn` is in autocommit. It ends with the connection, also with a killed one."""
    taken = conn.execute(STATEMENTS["lock_account"], account.key).fetchone()
    if not (taken or {})["is_taken"]:
        raise AccountBusyError(f"another run works on {account.lender} at {account.policy.gateway}")
    try:
        yield
    finally:
        conn.execute(STATEMENTS["unlock_account"], account.key)


def send_links(
    account: Account, run: RunContext, *, bucket: TokenBucket | None = None, patience_seconds: float = 120.0
) -> SendReport:
    """Make every planned link of an account, and find out about those whose answer was lost.

    `patience_seconds` is how long rows that must wait are waited for; later ones stay for the next run. Raises
    AccountBusyError, and LinkAccountError when the account refuses us.
    """
    report, stop = SendReport(), threading.Event()
    bucket = bucket or TokenBucket(account.policy.rate_per_second)
    with account.connect() as conn, account_lock(conn, account):
        conn.execute(STATEMENTS["due_at_once"], account.key)  # a killed run's leases end with it
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [
                _Sender(
                    account, run, bucket=bucket, report=report, stop=stop, patience_seconds=patience_seconds
                )
                for _ in range(SENDERS)
            ]
            for done in [pool.submit(sender.work) for sender in senders]:
                done.result()
        left = conn.execute(STATEMENTS["count_waiting"], account.key).fetchone()
        report.waiting = (left or {})["links"]
    return report


class _Sender:
    """One thread: its own connections to everything, the bucket and the report shared."""

    def __init__(
        self,
        account: Account,
        run: RunContext,
        *,
        bucket: TokenBucket,
        report: SendReport,
        stop: threading.Event,
        patience_seconds: float,
    ) -> None:
        self._account = account
        self._run = run
        self._bucket = bucket
        self._report = report
        self._stop = stop
        self._patience_seconds = patience_seconds
        self._calls: list[LinkCall] = []

    def work(self) -> None:
        """Take rows until none is due, and wait a while for those that will be."""
        with self._account.connect() as conn, self._account.tools(self._calls.append) as tools:
            idle_since_seconds = time.monotonic()
            while not self._stop.is_set():
                row = conn.execute(STATEMENTS["take_link"], self._account.key).fetchone()
                if row is not None:
                    self._one(conn, tools, row)
                    idle_since_seconds = time.monotonic()
                elif not self._is_worth_waiting(conn, time.monotonic() - idle_since_seconds):
                    return

    def _is_worth_waiting(self, conn: WarehouseConnection, idle_seconds: float) -> bool:
        left_seconds = self._patience_seconds - idle_seconds
        values = self._account.key | {"within": timedelta(seconds=max(left_seconds, 0))}
        waiting = conn.execute(STATEMENTS["are_waiting"], values).fetchone()
        if left_seconds <= 0 or not (waiting or {})["is_any"]:
            return False
        time.sleep(_IDLE_SECONDS)
        return True

    def _one(self, conn: WarehouseConnection, tools: Tools, row: Row) -> None:
        """Bring one row as far as it goes; whatever happens is stored with it."""
        try:
            outcome = self._sent(conn, tools, row)
        except RateLimitedError as limited:
            pause_seconds = float(limited.wait_seconds or _back_off_seconds(row["tries"]))
            self._bucket.pause(pause_seconds)
            outcome = self._later(conn, row, limited, pause_seconds, "rate_limited")
        except LinkAccountError as refused:
            self._stop.set()
            self._later(conn, row, refused, 0, "refused_account")
            raise
        except (LinkError, FineractError) as lost:
            outcome = self._later(conn, row, lost, _back_off_seconds(row["tries"]), "lost")
        self._report.outcomes[outcome] += 1

    def _sent(self, conn: WarehouseConnection, tools: Tools, row: Row) -> str:
        if row["state"] == LinkState.SENDING and self._adopt(conn, tools, row):
            return "adopted"
        if row["state"] == LinkState.PLANNED:
            quote = tools.dues.quote(row["loan_id"], LinkPurpose(row["purpose"]))
            if isinstance(quote, LinkSkip) or quote.due_on != row["due_on"]:
                return self._withdrawn(conn, row, quote)
            row |= {"amount": quote.amount, "client_id": quote.client_id, "quoted_at": row["taken_at"]}
        customer = tools.dues.customer(row["client_id"])
        if customer is None:
            return self._ended(conn, row, LinkState.FAILED, LinkSkip.NO_CONTACT)
        order = self._order(row, customer)
        self._mark_sending(conn, row, order)
        self._bucket.take()
        try:
            created = tools.gateway.create(order)
        except LinkExistsError:
            # an attempt whose answer was lost; lists lag, so that it may not be found yet
            row["state"] = LinkState.SENDING
            if self._adopt(conn, tools, row):
                return "adopted"
            raise
        except LinkRefusedError as refused:
            return self._ended(conn, row | {"state": LinkState.SENDING}, LinkState.FAILED, str(refused))
        with conn.transaction():
            apply_evidence(conn, created, self._run, POLL)
            self._keep_calls(conn, row)
        return "opened"

    def _withdrawn(self, conn: WarehouseConnection, row: Row, quote: Quote | LinkSkip) -> str:
        """What it was planned for is no longer due; where something else is, a refresh plans for that."""
        if isinstance(quote, LinkSkip):
            return self._ended(conn, row, LinkState.WITHDRAWN, quote)
        with conn.transaction():
            conn.execute(STATEMENTS["mark_for_requote"], {"link_id": row["link_id"], "at": row["taken_at"]})
            return self._ended(conn, row, LinkState.WITHDRAWN, DUES_CHANGED)

    def _order(self, row: Row, customer: Any) -> LinkOrder:
        policy = self._account.policy
        text = _PURPOSE_TEXT[LinkPurpose(row["purpose"])].format(due=row["due_on"])
        partial = policy.partial_payment if row["accept_partial"] else None
        # the first part can be no more than the whole
        takes_parts = partial is not None and partial.least < row["amount"]
        return LinkOrder(
            reference=row["reference"],
            loan_id=row["loan_id"],
            amount=row["amount"],
            description=f"{text}, loan {row['loan_id']}: {indian_rupees(row['amount'])} rupees",
            expires_at=_expiry(row["expires_at"], policy.expires_after_days),
            customer=customer,
            accept_partial=takes_parts,
            minimum_partial=partial.least if partial and takes_parts else None,
            notify_sms="sms" in policy.notify,
            notify_email="email" in policy.notify,
            reminders=policy.reminders,
        )

    def _mark_sending(self, conn: WarehouseConnection, row: Row, order: LinkOrder) -> None:
        """What will be sent is stored before it is; from here on the reference is looked up first."""
        if row["state"] == LinkState.PLANNED:
            advance(LinkState.PLANNED, LinkState.SENDING)
        values = {
            "link_id": row["link_id"],
            "state": LinkState.SENDING,
            "quoted_at": row["quoted_at"],
            "amount": order.amount,
            "client_id": row["client_id"],
            "accept_partial": order.accept_partial,
            "expires_at": order.expires_at,
            "run": self._run.label,
        }
        conn.execute(STATEMENTS["mark_sending"], values)

    def _adopt(self, conn: WarehouseConnection, tools: Tools, row: Row) -> bool:
        """Look a link up by its reference and take it for ours where the gateway has it."""
        self._bucket.take()
        try:
            found = tools.gateway.find(row["reference"])
        except LinkNotFoundError:
            found = None
        if found is None:
            return False
        with conn.transaction():
            apply_evidence(conn, found, self._run, POLL)
            self._keep_calls(conn, row)
        return True

    def _ended(self, conn: WarehouseConnection, row: Row, state: LinkState, reason: str) -> str:
        with conn.transaction():
            change_state(conn, row, state, self._run, reason)
            self._keep_calls(conn, row)
        if state is LinkState.FAILED:
            self._report.failures.append(f"{row['reference']}: {reason}")
        return str(state)

    def _later(
        self, conn: WarehouseConnection, row: Row, error: Exception, pause_seconds: float, outcome: str
    ) -> str:
        """Leave a row for another try: as planned where nothing can have happened, else to be looked up."""
        # a row that came as `sending` stays so after a 429: an earlier attempt may have made the link
        nothing_done = isinstance(error, RateLimitedError | LinkAccountError | FineractError)
        is_as_before = nothing_done and row["state"] == LinkState.PLANNED
        values = {
            "link_id": row["link_id"],
            "state": advance(LinkState.SENDING, LinkState.PLANNED) if is_as_before else None,
            "error": without_personal_data(str(error)),
            "pause": timedelta(seconds=pause_seconds),
            "run": self._run.label,
        }
        with conn.transaction():
            conn.execute(STATEMENTS["try_later"], values)
            self._keep_calls(conn, row)
        return outcome

    def _keep_calls(self, conn: WarehouseConnection, row: Row) -> None:
        write_calls(conn, row, self._calls, self._run)
        self._calls.clear()


def _expiry(stored: datetime | None, days: int) -> datetime:
    """As stored for an earlier attempt, unless that is too near for a gateway to take."""
    now = datetime.now(UTC)
    if stored is not None and stored > now + _NEAREST_EXPIRY:
        return stored
    return now + timedelta(days=days)


def _back_off_seconds(tries: int) -> float:
    """Doubling from half a second, with jitter, so that rows that failed together do not come back together."""
    longest_seconds = min(LONGEST_PAUSE_SECONDS, 2.0 ** min(tries, 8) / 4)
    return longest_seconds * (0.5 + random.random() / 2)  # noqa: S311  # seconds of waiting, no secret
