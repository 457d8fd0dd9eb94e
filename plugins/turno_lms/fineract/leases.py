"""The lease of a loan: whoever writes to a loan in Fineract holds it, one holder at a time, for a limited time.

Time is the database's. Every new holder gets a higher fence; whatever a slow former holder brings home is refused by
`check`, in the transaction that would have recorded it. Rows are taken with `skip locked`, so takers never wait for
each other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Cursor

from turno_lms.warehouse.connection import Row, WarehouseConnection

_ENSURE = """
insert into core.core_loan_lease (loan_id, holder, fence, expires_at)
select wanted.loan_id, '', 0, to_timestamp(0) from unnest(%(loans)s::text[]) as wanted (loan_id)
on conflict (loan_id) do nothing
"""
_ACQUIRE = """
with free as (
    select loan_id from core.core_loan_lease
    where loan_id = any(%(loans)s) and expires_at <= clock_timestamp()
    for update skip locked
)
update core.core_loan_lease as lease
set holder = %(holder)s, fence = lease.fence + 1, expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
from free
where lease.loan_id = free.loan_id
returning lease.loan_id, lease.fence
"""
_RENEW = """
update core.core_loan_lease
set expires_at = clock_timestamp() + %(seconds)s * interval '1 second'
where loan_id = %(loan)s and fence = %(fence)s
"""
_CHECK = "select from core.core_loan_lease where loan_id = %(loan)s and fence = %(fence)s for update"
_RELEASE = """
update core.core_loan_lease
set expires_at = clock_timestamp()
where loan_id = %(loan)s and fence = %(fence)s
"""


@dataclass(frozen=True)
class Lease:
    """The right to write to one loan, under a fence that no one else ever had."""

    loan_id: str
    fence: int

    @property
    def _key(self) -> dict[str, object]:
        return {"loan": self.loan_id, "fence": self.fence}


class LeaseLostError(RuntimeError):
    """The lease ran out and another holder has taken the loan: what is known here is out of date."""

    def __init__(self, lease: Lease):
        super().__init__(f"the lease of loan {lease.loan_id} under fence {lease.fence} has been taken over")


def prepare(conn: WarehouseConnection, loan_ids: Sequence[str]) -> None:
    """Make sure that every loan has a lease to be taken; `acquire` then needs one statement."""
    conn.execute(_ENSURE, {"loans": sorted(set(loan_ids))})


class Asked:
    """A lease that was asked for in a pipeline; `lease` waits for the answer."""

    def __init__(self, cursor: Cursor[Row]):
        self._cursor = cursor

    def lease(self) -> Lease | None:
        """The lease, None if someone else has it."""
        row = self._cursor.fetchone()
        return Lease(row["loan_id"], row["fence"]) if row else None


def ask(conn: WarehouseConnection, loan_id: str, holder: str, seconds: float) -> Asked:
    """Ask for the lease of one prepared loan without waiting for the answer; a later statement finds it by `holder`."""
    return Asked(conn.execute(_ACQUIRE, {"loans": [loan_id], "holder": holder, "seconds": seconds}))


def acquire(conn: WarehouseConnection, loan_ids: Sequence[str], holder: str, seconds: float) -> list[Lease]:
    """Take the leases that are free among `loan_ids`; the others are left out without waiting.

    `holder` names the program for people; the fence alone decides.
    """
    prepare(conn, loan_ids)
    rows = conn.execute(_ACQUIRE, {"loans": list(loan_ids), "holder": holder, "seconds": seconds})
    return [Lease(row["loan_id"], row["fence"]) for row in rows]


def renew(conn: WarehouseConnection, lease: Lease, seconds: float) -> None:
    """Let the lease run for another `seconds` from now. Raises LeaseLostError if someone else has it."""
    if conn.execute(_RENEW, {**lease._key, "seconds": seconds}).rowcount != 1:
        raise LeaseLostError(lease)


def check(conn: WarehouseConnection, lease: Lease) -> None:
    """Make sure, until the end of the caller's transaction, that no later holder exists; else raise LeaseLostError.

    A lease that ran out but was taken by no one still counts: the row is locked here, so no one can take it now.
    """
    if conn.execute(_CHECK, lease._key).rowcount != 1:
        raise LeaseLostError(lease)


def release(conn: WarehouseConnection, lease: Lease) -> None:
    """Give the lease back; nothing happens if someone else has it by now."""
    conn.execute(_RELEASE, lease._key)
