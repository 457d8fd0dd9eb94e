"""What the reconciliation models propose becomes state: matches that stay, exceptions that clear by themselves.

In two steps. The exact rules (R1 to R3) come first and alone, because posting may wait for them; the others (R4 to R8)
and what is left of it all (R9) follow. A match is recorded here before anything is posted that it releases: the claim
reads `core_transaction_data`, which the next build derives from it. Rules by id: docs/reconciliation-rules.md.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby

from turno_lms.domain.money import rupees_to_paise
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.domain.subsets import MOST_RECORDS, Split, unique_splits
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.changes import IDENTITY_LOCK
from turno_lms.warehouse.connection import Row, WarehouseConnection

LOCK = 0x7265_636F
"""Advisory lock under which matches and their exceptions change."""

POSTING_HOURS = 24
"""How long a payment that nothing holds may wait before it counts as missing in Fineract."""

PAYMENT_KINDS = (
    ExceptionKind.MISSING_IN_FILE,
    ExceptionKind.MISSING_IN_GATEWAY,
    ExceptionKind.AMOUNT_MISMATCH,
    ExceptionKind.DATE_MISMATCH,
    ExceptionKind.LOAN_MISMATCH,
    ExceptionKind.DUPLICATE,
    ExceptionKind.AMBIGUOUS_MATCH,
    ExceptionKind.MISSING_IN_FINERACT,
    ExceptionKind.CONTESTED_MATCH,
)
"""The exceptions of payments that are opened and cleared here."""
_EXACT_PAIRS = "create temporary view proposed_pair as select * from core.core_recon_exact"
_NEAR_PAIRS = "create temporary view proposed_pair as select * from core.core_recon_near where is_accepted"
_OPEN_GROUP = """
create temporary view open_group as
select member.* from core.core_recon_group as member
left join core.core_recon_match as known on member.native_reference = known.native_reference
where known.native_reference is null
"""
_AS_RECORDED = (
    "create temporary view left_over_now as select * from core.core_recon_left_over",
    "create temporary view matched_now as select native_reference, posting_key from core.core_recon_match",
)


@dataclass(frozen=True)
class ReconReport:
    """What one run recorded: pairs and groups matched, exceptions opened, and those that new data explained."""

    pairs_matched: int
    exceptions_opened: int
    exceptions_cleared: int
    groups_matched: int = 0

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def record_exact(conn: WarehouseConnection, run: RunContext) -> int:
    """Record core_recon_exact, in one transaction; returns the pairs. Safe to run again: a sighting is matched once."""
    with conn.transaction():
        _lock(conn)
        return _record_pairs(conn, _EXACT_PAIRS, run)


def record_matches(conn: WarehouseConnection, run: RunContext) -> ReconReport:
    """Record everything that the models propose, and what is left of it as exceptions, in one transaction.

    Safe to run again: what is recorded already changes nothing. Every touched payment goes to the change log, so that
    the next build carries its status into core_transaction_data.
    """
    with conn.transaction():
        _lock(conn)
        pairs = _record_pairs(conn, _EXACT_PAIRS, run) + _record_pairs(conn, _NEAR_PAIRS, run)
        groups = _record_groups(conn, run)
        values = {"run": run.label, "kinds": list(PAYMENT_KINDS), "posting_hours": POSTING_HOURS}
        for view in (*_AS_RECORDED, STATEMENTS["name_left_over"]):
            conn.execute(view)
        conn.execute(STATEMENTS["judge_payments"], values)
        conn.execute("drop view left_over_now, matched_now cascade")
        conn.execute("analyze payment_judged")
        cleared = _touched(conn, "clear_explained", values)
        opened = _touched(conn, "open_unexplained", values)
        conn.execute("drop table payment_judged")
    return ReconReport(pairs, opened, cleared, groups)


def insert_group(
    conn: WarehouseConnection, members: Sequence[Row], rule: str, reason: str, run: RunContext
) -> int:
    """Record one match of the given sightings in the caller's transaction; returns its members, 0 if it may not be."""
    conn.execute(STATEMENTS["make_group_members"])
    split = Split(
        tuple(row["native_reference"] for row in members if row["side"] == "file"),
        tuple(row["native_reference"] for row in members if row["side"] == "gateway"),
    )
    for member in _split_members(split, {row["native_reference"]: row for row in members}):
        conn.execute(_ADD_MEMBER, member)
    groups = _record_members(conn, rule, reason, run)
    conn.execute("drop table group_member")
    return len(members) if groups else 0


def _lock(conn: WarehouseConnection) -> None:
    """One recorder at a time, and no identity step beside it: whose payment a record is must not change meanwhile."""
    conn.execute("select pg_advisory_xact_lock(%s)", (IDENTITY_LOCK,))
    conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))


def _record_pairs(conn: WarehouseConnection, proposals: str, run: RunContext) -> int:
    conn.execute(proposals)
    members = _touched(conn, "record_pairs", {"run": run.label})
    conn.execute("drop view proposed_pair")
    return members // 2


def _record_groups(conn: WarehouseConnection, run: RunContext) -> int:
    """Groups that agree in sum, then the only subsets that do; returns how many."""
    conn.execute(STATEMENTS["make_group_members"])
    conn.execute(STATEMENTS["take_group_sums"])
    matched = _record_members(conn, "group_sum", None, run)
    conn.execute(_OPEN_GROUP)
    take_subsets(conn)
    matched += _record_members(conn, "group_subset", None, run)
    conn.execute("drop table group_member")
    conn.execute("drop view open_group")
    return matched


def take_subsets(conn: WarehouseConnection) -> None:
    """Rule R8: put into group_member the only subsets that agree, of the groups in the view open_group."""
    rows = conn.execute(STATEMENTS["open_groups"], {"most": MOST_RECORDS}).fetchall()
    for _, members in groupby(rows, key=lambda row: row["group_key"]):
        for member in _subset_members(list(members)):
            conn.execute(_ADD_MEMBER, member)


_ADD_MEMBER = """
insert into group_member values (
    %(match_group)s, %(native_reference)s, %(posting_key)s, %(side)s, %(recon_match_key)s, %(is_posting_channel)s,
    %(days)s, %(rupees)s
)
"""


def _record_members(conn: WarehouseConnection, rule: str, reason: str | None, run: RunContext) -> int:
    """Record what group_member holds and empty it; returns the number of groups."""
    groups = _touched(conn, "record_groups", {"rule": rule, "reason": reason, "run": run.label})
    conn.execute("truncate group_member")
    return groups


def _subset_members(members: list[Row]) -> Iterator[Row]:
    """The members of the splits of one group, each with the name of its split."""
    by_reference = {row["native_reference"]: row for row in members}
    sides = {
        side: {
            row["native_reference"]: rupees_to_paise(row["amount"]) for row in members if row["side"] == side
        }
        for side in ("file", "gateway")
    }
    for split in unique_splits(sides["file"], sides["gateway"]):
        yield from _split_members(split, by_reference)


def _split_members(split: Split, by_reference: dict[str, Row]) -> Iterator[Row]:
    names = sorted((*split.files, *split.gateways))
    group = hashlib.md5("|".join(names).encode(), usedforsecurity=False).hexdigest()
    parts = {"file": split.files, "gateway": split.gateways}
    last = {side: max(by_reference[name]["business_date"] for name in part) for side, part in parts.items()}
    sums = {side: sum(by_reference[name]["amount"] for name in part) for side, part in parts.items()}
    told = {
        "match_group": group,
        "days": (last["file"] - last["gateway"]).days,
        "rupees": sums["gateway"] - sums["file"],
    }
    for name in names:
        yield {**by_reference[name], **told}


def _touched(conn: WarehouseConnection, name: str, values: dict[str, object]) -> int:
    """Execute a statement that records, announces what it touched in the change log, and counts it."""
    counted = conn.execute(STATEMENTS[name], values).fetchone()
    return int((counted or {})["touched"])
