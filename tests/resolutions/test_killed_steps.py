"""A settlement whose process is killed at every step, resumed by another one: each step exactly once, also backwards.

And the proof that the test notices what it is there to notice: a planted bug for each rule.
"""

import multiprocessing
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
import requests

from tests.resolutions.conftest import ASHA, LOAN, MEERA, TODAY, Told, accepted, pay, standing, told
from tests.resolutions.resolving_process import resolve
from turno_lms.fineract.client import FineractClient
from turno_lms.posting.proof import prove
from turno_lms.resolutions import books, undoing
from turno_lms.resolutions.books import SETTLEMENTS
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import Role, WarehouseConnection

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SETTLED = Told(600, Decimal(0), Decimal(37500), Decimal(0))
UNTOUCHED = Told(300, Decimal(137500), Decimal(0), Decimal(0))
KILLED = -9
FORWARDS = [
    "before:waive_charge",
    "after:waive_charge",
    "recorded:waive_charge done",
    "before:waiveinterest",
    "after:waiveinterest",
    "recorded:post_money sent",
    "recorded:post_money done",
    "before:goodwillCredit",
    "after:goodwillCredit",
    "recorded:goodwill_credit done",
]
BACKWARDS = [
    "recorded:post_money undoing",
    "after:take_money_back",
    "before:undo_waiveinterest",
    "after:undo_waiveinterest",
    "after:undo_waive_charge",
    "recorded:waive_charge undone",
]
TAKEN_BACK = [
    "recorded:goodwill_credit undoing",
    "before:undo_goodwillCredit",
    "after:undo_goodwillCredit",
    "recorded:goodwill_credit undone",
    *BACKWARDS,
]
Advance = Callable[..., "int | None"]


@pytest.fixture
def advance(
    warehouse_role_url: Callable[[str], str], fineract_url: str, ledger: WarehouseConnection
) -> Advance:
    """Run the resolver once, as a process; returns its status. The leases of the dead have run out by then."""

    forked = multiprocessing.get_context("fork")  # the imports of a new interpreter would be most of the time

    def run(
        ref: str, *, die_at: str | None = None, bug: str | None = None, take_back: bool = False
    ) -> int | None:
        ledger.execute("update core.core_loan_lease set expires_at = now()")
        arguments = (warehouse_role_url(Role.POSTER), fineract_url, ref, TODAY, die_at, bug, take_back)
        process = forked.Process(target=resolve, args=arguments)
        process.start()
        process.join(120)
        return process.exitcode

    return run


def state_of(walk: Walk, ref: str) -> str:
    return str(books.read(walk.conn, SETTLEMENTS, ref)["state"])


def test_a_settlement_killed_at_every_step_in_turn_is_done_once(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, advance: Advance
) -> None:
    """One settlement, killed ten times on its way."""
    ref = accepted(walk)
    pay(ledger, "96000.00")
    deaths = [advance(ref, die_at=moment) for moment in FORWARDS]
    assert deaths == [KILLED] * len(FORWARDS)
    assert advance(ref) == 0
    assert state_of(walk, ref) == "done"
    assert told(fineract) == SETTLED
    assert sorted(kind for kind, _ in standing(fineract)) == [2, 4, 9, 9, 9, 23]
    assert prove(walk.conn, fineract, [LOAN], walk.run).differences == []


def test_a_compensation_killed_at_every_step_in_turn_takes_everything_back_once(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, advance: Advance, standin: str
) -> None:
    ref = accepted(walk)
    pay(ledger, "96000.00")
    rule = {"requests": "goodwill_credit", "fault": "refused_503", "next": 1}
    requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    deaths = [advance(ref, die_at=moment) for moment in BACKWARDS]
    assert deaths == [KILLED] * len(BACKWARDS)
    assert advance(ref) == 0
    assert state_of(walk, ref) == "compensated"
    assert told(fineract) == UNTOUCHED
    assert standing(fineract) == []
    walk.desk.post(LOAN)
    assert [kind for kind, _ in standing(fineract)] == [2]
    assert prove(walk.conn, fineract, [LOAN], walk.run).differences == []


def test_a_done_settlement_whose_taking_back_is_killed_at_every_step_in_turn_is_undone_once(
    walk: Walk, ledger: WarehouseConnection, fineract: FineractClient, advance: Advance
) -> None:
    """Killed by whoever takes it back and by the runs that go on, in turn; then its money is an ordinary repayment."""
    ref = accepted(walk)
    key = pay(ledger, "96000.00", date(2026, 6, 9))
    assert advance(ref) == 0
    assert (state_of(walk, ref), told(fineract)) == ("done", SETTLED)
    asked = undoing.request(walk.conn, walk.client, ref, "the cheque was another's", ASHA)
    undoing.decide(walk.conn, ref, asked["undo_approval_id"], MEERA, approved=True)
    deaths = [
        advance(ref, die_at=moment, take_back=number % 2 == 0) for number, moment in enumerate(TAKEN_BACK)
    ]
    assert deaths == [KILLED] * len(TAKEN_BACK)
    assert state_of(walk, ref) == "undoing"
    assert advance(ref) == 0
    assert state_of(walk, ref) == "undone"
    assert (told(fineract), standing(fineract)) == (UNTOUCHED, [])
    walk.desk.post(LOAN)
    assert standing(fineract) == [(2, Decimal(96000))]
    corrected = fineract.find_transaction(LOAN, f"{key}-r1")
    assert corrected is not None
    assert corrected["date"] == [2026, 6, 9]
    assert prove(walk.conn, fineract, [LOAN], walk.run).differences == []


@pytest.mark.parametrize(
    ("bug", "fault", "die_at"),
    [
        ("new_external_id_per_try", None, "after:waiveinterest"),
        ("lost_answer_taken_for_done", ("waive_interest", "drop_before"), None),
        ("nothing_compensated", ("goodwill_credit", "refused_503"), None),
    ],
)
def test_a_planted_bug_turns_it_red(
    walk: Walk,
    ledger: WarehouseConnection,
    fineract: FineractClient,
    advance: Advance,
    standin: str,
    bug: str,
    fault: tuple[str, str] | None,
    die_at: str | None,
) -> None:
    """The loan is then neither settled nor untouched, or the ledger says what is not so."""
    ref = accepted(walk)
    pay(ledger, "96000.00")
    if fault:
        rule = {"requests": fault[0], "fault": fault[1], "next": 1}
        requests.post(f"{standin}/rules", json=rule, timeout=5).raise_for_status()
    if die_at:
        assert advance(ref, die_at=die_at, bug=bug) == KILLED
    for _ in range(2):
        advance(ref, bug=bug)
    state = state_of(walk, ref)
    is_right = (state, told(fineract)) in {("done", SETTLED), ("compensated", UNTOUCHED)}
    assert not is_right, f"{bug} went unnoticed: {state} {told(fineract)}"
