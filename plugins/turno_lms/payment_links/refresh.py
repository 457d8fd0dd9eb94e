"""Links that are out: asked about, cancelled when their dues have changed, and quoted anew.

Webhooks and polling come to the same end, since both go through `evidence`. A link is cancelled before its successor
is planned, and only the gateway's word ends it: money that comes first makes it paid, and then nothing is cancelled.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LIVE_LINK_STATES, LinkPurpose, LinkSkip, LinkState
from turno_lms.fineract.errors import FineractError
from turno_lms.payment_links.dues import Quote
from turno_lms.payment_links.evidence import POLL, apply_evidence, change_state, write_calls
from turno_lms.payment_links.http import LinkCall, without_personal_data
from turno_lms.payment_links.links import (
    GatewayLink,
    GatewayStatus,
    LinkAccountError,
    LinkError,
    LinkRefusedError,
    RateLimitedError,
)
from turno_lms.payment_links.plan import LinkRequest, Proposal, plan_links
from turno_lms.payment_links.send import DUES_CHANGED, Account, Tools, account_lock
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.payment_links.token_bucket import TokenBucket
from turno_lms.warehouse.connection import Row, WarehouseConnection

POLL_EVERY = timedelta(hours=1)
"""How old the last word on a link may be. Webhooks are the fast way; this is for those that never come."""
MOST_POLLED = 2000
"""Links asked about in one run, those longest unheard of first."""
_SHORTEST_PAUSE_SECONDS = 5.0


def refresh_account(
    account: Account,
    run: RunContext,
    *,
    poll_every: timedelta = POLL_EVERY,
    check_every_link: bool = False,
    bucket: TokenBucket | None = None,
) -> dict[str, int]:
    """Poll an account's links, cancel those whose dues changed, and plan what is to be quoted anew.

    Returns what was done, counted. What fails for one link is counted as `left` and left to the next run. Raises
    AccountBusyError, and LinkAccountError when the account refuses us.
    """
    calls: list[LinkCall] = []
    with account.connect() as conn, account.tools(calls.append) as tools, account_lock(conn, account):
        bucket = bucket or TokenBucket(account.policy.rate_per_second)
        work = _Refresh(account, run, conn, tools, bucket=bucket, calls=calls)
        work.poll(poll_every)
        work.check_dues(check_every_link)
        work.cancel()
        work.requote()
    return dict(sorted(work.counts.items()))


class _Refresh:
    """One run over one account."""

    def __init__(
        self,
        account: Account,
        run: RunContext,
        conn: WarehouseConnection,
        tools: Tools,
        *,
        bucket: TokenBucket,
        calls: list[LinkCall],
    ) -> None:
        self._account = account
        self._conn = conn
        self._tools = tools
        self._run = run
        self._bucket = bucket
        self._calls = calls
        self.counts: Counter[str] = Counter()

    def poll(self, poll_every: timedelta) -> None:
        """Ask about links that nobody told of for a while, and once more about those that ended unpaid."""
        for row in self._rows("links_to_poll", every=poll_every, most=MOST_POLLED):
            self._each(row, self._poll_one)

    def check_dues(self, check_every_link: bool) -> None:
        """Ask Fineract about open links whose loan has changed since they were quoted."""
        for row in self._rows("links_to_check", every_link=check_every_link):
            self._each(row, self._check_one)

    def cancel(self) -> None:
        """Cancel what is to be cancelled, also what an earlier run had begun to."""
        for row in self._rows("links_to_cancel"):
            self._each(row, self._cancel_one)

    def requote(self) -> None:
        """Plan a link for what is due now in place of each that was cancelled for its dues."""
        for row in self._rows("links_to_requote"):
            self._each(row, self._requote_one)

    def _rows(self, statement: str, **values: Any) -> list[Row]:
        return self._conn.execute(STATEMENTS[statement], self._account.key | values).fetchall()

    def _each(self, row: Row, act: Callable[[Row], str]) -> None:
        try:
            outcome = act(row)
        except LinkAccountError:
            self._keep_calls(row)
            raise
        except (LinkError, FineractError) as error:
            if isinstance(error, RateLimitedError):
                self._bucket.pause(float(error.wait_seconds or _SHORTEST_PAUSE_SECONDS))
            values = {"link_id": row["link_id"], "error": without_personal_data(str(error))}
            self._conn.execute(STATEMENTS["note_error"], values)
            outcome = "left"
        self._keep_calls(row)
        self.counts[outcome] += 1

    def _keep_calls(self, row: Row) -> None:
        write_calls(self._conn, row, self._calls, self._run)
        self._calls.clear()

    def _ask(self, row: Row) -> GatewayLink | None:
        self._bucket.take()
        return self._tools.gateway.find(row["reference"], row["gateway_link_id"])

    def _take(self, row: Row, seen: GatewayLink) -> LinkState:
        with self._conn.transaction():
            state = apply_evidence(self._conn, seen, self._run, POLL)
            self._conn.execute(STATEMENTS["note_poll"], {"link_id": row["link_id"]})
        return state or LinkState(row["state"])

    def _poll_one(self, row: Row) -> str:
        seen = self._ask(row)
        if seen is None:
            self._conn.execute(STATEMENTS["note_poll"], {"link_id": row["link_id"]})
            return "not_found"
        return f"polled_{self._take(row, seen)}"

    def _check_one(self, row: Row) -> str:
        quote = self._tools.dues.quote(row["loan_id"], LinkPurpose(row["purpose"]))
        if _still_fits(row, quote):
            self._conn.execute(STATEMENTS["note_quote"], {"link_id": row["link_id"], "at": row["looked_at"]})
            return "still_due"
        with self._conn.transaction():
            change_state(self._conn, row, LinkState.CANCELLING, self._run, DUES_CHANGED)
            self._conn.execute(
                STATEMENTS["mark_for_requote"], {"link_id": row["link_id"], "at": row["looked_at"]}
            )
        return "dues_changed"

    def _cancel_one(self, row: Row) -> str:
        """Look first: a payment may have come, or an earlier call may have been carried out."""
        seen = self._ask(row)
        if seen is None:
            return "not_found"
        if seen.status is GatewayStatus.ACTIVE:
            self._bucket.take()
            try:
                seen = self._tools.gateway.cancel(row["reference"], row["gateway_link_id"])
            except LinkRefusedError:
                seen = self._ask(row) or seen  # paid in between, perhaps
        state = self._take(row, seen)
        if state in LIVE_LINK_STATES:
            return self._keep_as_is(row, state)
        return str(state)

    def _keep_as_is(self, row: Row, state: LinkState) -> str:
        """The gateway does not let it be cancelled: it stays what it is, and a person is told."""
        with self._conn.transaction():
            if state is LinkState.CANCELLING:
                change_state(self._conn, row, LinkState.OPEN, self._run)
            self._conn.execute(STATEMENTS["mark_stale"], {"link_id": row["link_id"]})
        return "stale"

    def _requote_one(self, row: Row) -> str:
        purpose = LinkPurpose(row["purpose"])
        quote = self._tools.dues.quote(row["loan_id"], purpose)
        proposal = _requoted(row, purpose, quote, self._account.policy.minimum)
        if proposal.skip is not None:
            self._conn.execute(STATEMENTS["requote_done"], {"link_id": row["link_id"]})
            return f"not_requoted_{proposal.skip}"
        with self._conn.transaction():
            request = LinkRequest(row["lender"], self._account.policy, purpose, row["link_id"])
            plan = plan_links(self._conn, request, [proposal], self._run, dry_run=False)
            skip = plan.proposals[0].skip
            if skip is not LinkSkip.PAYMENT_UNDER_WAY:  # its quote is not final: the next run asks again
                self._conn.execute(STATEMENTS["requote_done"], {"link_id": row["link_id"]})
        return "requoted" if plan.links else f"not_requoted_{skip}"


def _still_fits(row: Row, quote: Quote | LinkSkip) -> bool:
    """Whether a link still asks for what is due, less what it has brought and Fineract has."""
    left: Decimal = row["amount"] - row["posted"]
    if isinstance(quote, LinkSkip):
        return False
    return quote.due_on == row["due_on"] and quote.amount == left


def _requoted(row: Row, purpose: LinkPurpose, quote: Quote | LinkSkip, minimum: Decimal) -> Proposal:
    """What comes in a cancelled link's place. An instalment that was met is not followed by the next one's."""
    if isinstance(quote, LinkSkip):
        return Proposal(row["loan_id"], skip=quote)
    if purpose is LinkPurpose.EMI and quote.due_on != row["due_on"]:
        return Proposal(row["loan_id"], quote, skip=LinkSkip.NOTHING_DUE)
    return Proposal(row["loan_id"], quote, skip=LinkSkip.BELOW_MINIMUM if quote.amount < minimum else None)
