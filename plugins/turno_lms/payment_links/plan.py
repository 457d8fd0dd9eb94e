"""Which loans get a link, and for how much: quoted from Fineract, judged against what is live, stored before any call.

Run twice: what is live already is left alone. Two plans of one lender take turns by a lock, so that neither the rule
of one live link nor the attempt's number depends on luck; the unique index decides should they ever meet.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from turno_lms.domain.money import canonical_amount, indian_rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkPurpose, LinkSkip, LinkState
from turno_lms.lenders.payment_links import PaymentLinkPolicy
from turno_lms.payment_links.dues import Dues, Quote
from turno_lms.payment_links.references import BadReferenceError, make_reference
from turno_lms.payment_links.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

QUOTERS = 4
"""Threads that ask Fineract; it takes reads side by side."""
_SHOWN = 50
DuesFactory = Callable[[], AbstractContextManager[Dues]]


@dataclass(frozen=True)
class Proposal:
    """A loan that was asked for, and what comes of it: a link's reference and rupees, or why there is none."""

    loan_id: str
    quote: Quote | None = None
    reference: str | None = None
    skip: LinkSkip | None = None


@dataclass(frozen=True)
class LinkRequest:
    """What links are asked for: whose, under which policy, for what, and in place of which link."""

    lender: str
    policy: PaymentLinkPolicy
    purpose: LinkPurpose
    replaces: int | None = None


@dataclass(frozen=True)
class Plan:
    """What a run plans for one lender and purpose."""

    lender: str
    purpose: LinkPurpose
    proposals: Sequence[Proposal] = field(repr=False)

    @property
    def links(self) -> list[Proposal]:
        """Those that become a link."""
        return [each for each in self.proposals if each.reference]

    @property
    def rupees(self) -> Decimal:
        """What the links ask for together."""
        return sum((each.quote.amount for each in self.links if each.quote), Decimal("0.00"))

    def to_dict(self) -> dict[str, Any]:
        """Counts and rupees as JSON for a log or an XCom."""
        skipped = Counter(str(each.skip) for each in self.proposals if each.skip)
        return {
            "lender": self.lender,
            "purpose": str(self.purpose),
            "asked": len(self.proposals),
            "links": len(self.links),
            "rupees": canonical_amount(self.rupees),
            "skipped": dict(sorted(skipped.items())),
        }

    def text(self) -> str:
        """A table for a person: the first rows, then the totals. It names loans, and no person."""
        lines = [_line(each) for each in self.proposals[:_SHOWN]]
        if len(self.proposals) > _SHOWN:
            lines.append(f"... and {len(self.proposals) - _SHOWN} more")
        skipped = " ".join(f"{reason}={count}" for reason, count in self.to_dict()["skipped"].items())
        total = (
            f"{self.lender} {self.purpose}: {len(self.links)} links of {indian_rupees(self.rupees)} rupees"
        )
        return "\n".join([*lines, f"{total}{f'; left out: {skipped}' if skipped else ''}"])


def _line(proposal: Proposal) -> str:
    quote = proposal.quote
    due = f"{indian_rupees(quote.amount):>14}  due {quote.due_on:%Y-%m-%d}" if quote else ""
    return f"{proposal.loan_id:<16} {due}  {proposal.reference or proposal.skip}".rstrip()


def overdue_loans(conn: WarehouseConnection, lender: str, overdue_days: int, today: date) -> list[str]:
    """Active loans of a lender that have been overdue for so many days, as the warehouse last heard of them."""
    values = {"lender": lender, "days": overdue_days, "today": today}
    return [row["loan_id"] for row in conn.execute(STATEMENTS["overdue_loans"], values)]


def quote_loans(
    dues: DuesFactory, loan_ids: Iterable[str], purpose: LinkPurpose, minimum: Decimal
) -> list[Proposal]:
    """Ask Fineract about each loan once, several at a time, in the order given."""
    wanted = list(dict.fromkeys(loan_ids))
    shares = [wanted[start::QUOTERS] for start in range(QUOTERS)]

    def work(share: list[str]) -> list[Proposal]:
        with dues() as source:
            return [_quoted(loan_id, source.quote(loan_id, purpose), minimum) for loan_id in share]

    with ThreadPoolExecutor(QUOTERS) as pool:
        found = {each.loan_id: each for share in pool.map(work, filter(None, shares)) for each in share}
    return [found[loan_id] for loan_id in wanted]


def _quoted(loan_id: str, answer: Quote | LinkSkip, minimum: Decimal) -> Proposal:
    if isinstance(answer, LinkSkip):
        return Proposal(loan_id, skip=answer)
    return Proposal(loan_id, answer, skip=LinkSkip.BELOW_MINIMUM if answer.amount < minimum else None)


def plan_links(
    conn: WarehouseConnection,
    request: LinkRequest,
    quoted: Sequence[Proposal],
    run: RunContext,
    *,
    dry_run: bool,
) -> Plan:
    """Judge the quotes against what is live and store a row for each link, in one transaction.

    With `dry_run` the same judgement is made and nothing is stored.
    """
    lock = "select pg_advisory_xact_lock(hashtextextended('payment links of ' || %s, 0))"
    with conn.transaction():
        conn.execute(lock, (request.lender,))
        proposals = _judge(conn, request.purpose, quoted)
        if not dry_run:
            _store(conn, request, proposals, run)
    return Plan(request.lender, request.purpose, proposals)


def _judge(conn: WarehouseConnection, purpose: LinkPurpose, quoted: Sequence[Proposal]) -> list[Proposal]:
    due = [(each.loan_id, each.quote.due_on) for each in quoted if each.quote and not each.skip]
    values = {
        "loan_ids": [loan_id for loan_id, _ in due],
        "dues": [due_on for _, due_on in due],
        "purpose": purpose,
    }
    standing = {row["loan_id"]: row for row in conn.execute(STATEMENTS["standing_links"], values)}
    return [_judged(each, purpose, standing.get(each.loan_id)) for each in quoted]


def _judged(proposal: Proposal, purpose: LinkPurpose, standing: dict[str, Any] | None) -> Proposal:
    if proposal.quote is None or standing is None:
        return proposal
    if standing["skip"]:
        return Proposal(proposal.loan_id, proposal.quote, skip=LinkSkip(standing["skip"]))
    try:
        attempt = standing["attempts"] + 1
        reference = make_reference(proposal.loan_id, proposal.quote.due_on, purpose, attempt)
    except BadReferenceError:
        return Proposal(proposal.loan_id, proposal.quote, skip=LinkSkip.BAD_REFERENCE)
    return Proposal(proposal.loan_id, proposal.quote, reference)


def _store(
    conn: WarehouseConnection, request: LinkRequest, proposals: Sequence[Proposal], run: RunContext
) -> None:
    stored = [(each.reference, each.quote) for each in proposals if each.reference and each.quote]
    conn.execute(
        STATEMENTS["store_links"],
        {
            "stored_references": [reference for reference, _ in stored],
            "loan_ids": [quote.loan_id for _, quote in stored],
            "dues": [quote.due_on for _, quote in stored],
            "clients": [quote.client_id for _, quote in stored],
            "amounts": [quote.amount for _, quote in stored],
            "lender": request.lender,
            "gateway": request.policy.gateway,
            "purpose": request.purpose,
            "state": LinkState.PLANNED,
            "accept_partial": request.policy.partial_payment is not None,
            "replaces": request.replaces,
            "actor": run.actor,
            "run": run.label,
        },
    )
