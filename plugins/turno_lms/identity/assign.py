"""The identity step: every new sighting of money gets its posting key, once and for ever. One rupee, one row.

1. An identity is frozen at first sight. A later derivation that differs is a conflict, never another key.
2. The same gateway payment (whichever lender), or the same bank reference of a lender, is the same payment.
3. The same source key in another channel of the same stream is the same payment, the k-th with the k-th, unless both
   carry references that can be compared and differ. Blank references are never equal.
4. Whatever else has the same source key is other money, held as a possible duplicate until a person decides. So is a
   manual entry beside an automatic payment of the same loan and amount within days, or the other way round.
5. Which channel posts a stream is not decided here: core_transaction_data blocks what only evidence has reported.
6. Only a loan that the registry knows, of the right lender, gets a key; the rest is an exception that clears by itself.

It runs between dbt's sightings and core_transaction_data, in one transaction, on what dbt wrote since the last step
that read something. Each statement in sql/ says which rule it is.
"""

from collections import Counter
from dataclasses import asdict, dataclass

from turno_lms.domain.duplicates import MANUAL_WINDOW_DAYS
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import ExceptionKind
from turno_lms.identity.statements import STATEMENTS
from turno_lms.warehouse.changes import IDENTITY_LOCK
from turno_lms.warehouse.connection import WarehouseConnection

LOCK = IDENTITY_LOCK
"""Advisory lock shared with dbt's core_payment_sighting (var identity_lock): the two never overlap."""

RESOLUTION_KINDS = (
    ExceptionKind.UNKNOWN_LOAN,
    ExceptionKind.AMBIGUOUS_LOAN,
    ExceptionKind.UMRN_UNKNOWN,
    ExceptionKind.LOAN_OF_OTHER_LENDER,
    ExceptionKind.UNPARSED_REFERENCE,
)
"""What core_payment_sighting.resolution_error may say."""

SETTLEMENT_DAYS = 7
"""How many days apart the sightings of one payment may be dated: a capture on a Friday, settled after the holidays."""

_FILLED_TABLES = ("sighting_read", "new_sighting", "payment_unit")
_WORKING_TABLES = (*_FILLED_TABLES, "partner", "touched_key", "told", "conflict")


@dataclass(frozen=True)
class IdentityReport:
    """What one run did, in counts. `payments` are new posting keys, of which `held` wait for a person."""

    sightings_read: int
    identities: int
    payments: int
    held: int
    joined_by_reference: int
    paired_by_source_key: int
    conflicts_opened: int
    conflicts_cleared: int
    unresolved_opened: int
    unresolved_cleared: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)


def assign_identities(conn: WarehouseConnection, run: RunContext) -> IdentityReport:
    """Freeze the identity of every new sighting and compare the touched ones with what was frozen.

    One transaction, committed on return unless the caller has one open already. Safe to run again at any time and
    from two places at once: the second waits, then finds nothing new.
    """
    with conn.transaction():
        conn.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        conn.execute(STATEMENTS["make_tables"])
        report = _IdentityStep(conn, run).run()
        conn.execute(f"drop table {', '.join(_WORKING_TABLES)}")
    return report


class _IdentityStep:
    """The step's statements in their order, on an open transaction that holds the lock and has the working tables."""

    def __init__(self, conn: WarehouseConnection, run: RunContext) -> None:
        self._conn = conn
        self._run = run

    def run(self) -> IdentityReport:
        """Do all of it and count."""
        sightings_read = self._read()
        identities = self._freeze_all()
        # who the newcomers are was written since it was analyzed: the planner would expect one of them
        self._conn.execute("analyze payment_unit")
        held = self._do("hold_duplicates")
        held += self._do("hold_manual", manual_days=MANUAL_WINDOW_DAYS)
        self._do("announce")
        self._find_conflicts()
        units = self._units_by_match()
        if sightings_read and not identities:
            self._do("mark_read")
        return IdentityReport(
            sightings_read=sightings_read,
            identities=identities,
            payments=units["first_sight"],
            held=held,
            joined_by_reference=units["gateway_payment"] + units["bank_reference"],
            paired_by_source_key=units["same_source_key"],
            conflicts_opened=self._do("open_conflicts"),
            conflicts_cleared=self._do("clear_conflicts"),
            unresolved_cleared=self._do("clear_unresolved"),
            unresolved_opened=self._do("open_unresolved"),
        )

    def _read(self) -> int:
        last = self._conn.execute(STATEMENTS["last_read"]).fetchone()
        sightings_read = self._do("read_sightings", **(last or {}))
        self._do("make_units")
        while self._do("merge_units"):
            pass
        self._do("describe_units")
        for table in _FILLED_TABLES:
            self._conn.execute(f"analyze {table}")
        return sightings_read

    def _freeze_all(self) -> int:
        self._do("join_by_reference")
        frozen = self._do("freeze")
        for place in self._places_waiting():
            self._conn.execute("truncate partner")
            self._do("find_partners", channel_order=place)
            self._conn.execute("analyze partner")
            while self._do("pair_by_source_key", channel_order=place):
                pass
            self._do("found_payments", channel_order=place)
            frozen += self._do("freeze")
        return frozen

    def _find_conflicts(self) -> None:
        for name, table in (("gather_touched", "touched_key"), ("gather_told", "told")):
            self._do(name)
            self._conn.execute(f"analyze {table}")
        self._do("find_conflicts")

    def _places_waiting(self) -> list[int]:
        rows = self._conn.execute(
            "select distinct channel_order from payment_unit where posting_key is null order by channel_order"
        )
        return [row["channel_order"] for row in rows]

    def _units_by_match(self) -> Counter[str]:
        rows = self._conn.execute(
            "select matched_by, count(*) as units from payment_unit group by matched_by"
        )
        return Counter({row["matched_by"]: row["units"] for row in rows})

    def _do(self, name: str, **values: object) -> int:
        """Execute a statement of sql/ and return the number of rows it wrote."""
        parameters = {
            "run": self._run.label,
            "resolution_kinds": list(RESOLUTION_KINDS),
            "settlement_days": SETTLEMENT_DAYS,
            **values,
        }
        return self._conn.execute(STATEMENTS[name], parameters).rowcount
