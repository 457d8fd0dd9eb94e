"""What a person may decide about a key, and what the command line says."""

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from local_stack.environment import warehouse_connections
from tests.dbt.landing import put_lender
from tests.dbt.project import DbtProject
from tests.identity.sightings import ONE, Seen, open_exceptions, posting_keys, put_sightings
from turno_lms.identity.commands import app
from turno_lms.identity.decisions import DecisionError, link, release
from turno_lms.warehouse.connection import Role

NACH = Seen("position:1:1")
KEY = str(NACH.source_key)
SECOND, THIRD = f"{KEY}-o2", f"{KEY}-o3"


@pytest.fixture
def held(project: DbtProject) -> DbtProject:
    """One payment and two possible duplicates of it."""
    put_lender(project.conn, ONE)
    put_sightings(project.conn, [replace(NACH, native_reference=f"position:1:{n}") for n in (1, 2, 3)])
    project.assign()
    return project


def decided(project: DbtProject) -> list[tuple[str, str, str | None]]:
    rows = project.rows("core.core_payment_decision")
    return [(row["posting_key"], row["decision"], row["linked_posting_key"]) for row in rows]


def announced(project: DbtProject) -> list[str]:
    rows = project.conn.execute(
        "select subject from core.core_change_log where kind = 'decision' order by subject"
    )
    return [row["subject"] for row in rows]


def test_a_release_is_recorded_announced_and_closes_its_question(held: DbtProject) -> None:
    release(held.session(Role.RECONCILER), SECOND, "two part payments", "asha")
    assert decided(held) == [(SECOND, "release", None)]
    assert announced(held) == [SECOND]
    assert open_exceptions(held.conn) == {("possible_duplicate", THIRD)}


def test_a_link_is_recorded_and_both_keys_are_announced(held: DbtProject) -> None:
    link(held.session(Role.RECONCILER), SECOND, KEY, "sent twice", "asha")
    assert decided(held) == [(SECOND, "link", KEY)]
    assert announced(held) == [KEY, SECOND]


def test_what_was_linked_before_follows_its_key(held: DbtProject) -> None:
    link(held.session(Role.RECONCILER), THIRD, SECOND, "sent twice", "asha")
    link(held.session(Role.RECONCILER), SECOND, KEY, "sent three times", "asha")
    assert decided(held) == [(SECOND, "link", KEY), (THIRD, "link", KEY)]


def test_a_decision_sticks_for_sightings_that_come_later(held: DbtProject) -> None:
    """The statement's second row pairs with the second payment, whatever was decided about that."""
    link(held.session(Role.RECONCILER), SECOND, KEY, "sent twice", "asha")
    put_sightings(held.conn, [Seen(f"position:2:{n}", channel="file:statement") for n in (1, 2)])
    report = held.assign()
    assert (report.payments, report.held, report.conflicts_opened) == (0, 0, 0)
    assert posting_keys(held.conn)["position:2:2"] == SECOND


def test_a_linked_key_takes_no_payment_that_carries_a_reference(project: DbtProject) -> None:
    """The bank's file said one payment twice. Then the gateway, which posts, tells of two: the second is held again."""
    put_lender(project.conn, ONE)
    bank = Seen("position:1:1", channel="file:bank", stream="online")
    put_sightings(project.conn, [bank, replace(bank, native_reference="position:1:2")])
    project.assign()
    link(project.session(Role.RECONCILER), SECOND, KEY, "sent twice", "asha")
    hooks = [
        Seen(f"razorpay:pay_{n}", channel="razorpay", stream="online", gateway=f"razorpay:pay_{n}")
        for n in (1, 2)
    ]
    put_sightings(project.conn, hooks)
    report = project.assign()
    assert (report.payments, report.held) == (1, 1)
    assert {posting_keys(project.conn)[hook.native_reference] for hook in hooks} == {KEY, THIRD}


def test_a_linked_key_takes_no_row_of_the_channel_that_posts(project: DbtProject) -> None:
    put_lender(project.conn, ONE)
    statement = Seen("position:1:1", channel="file:statement")
    put_sightings(project.conn, [statement, replace(statement, native_reference="position:1:2")])
    project.assign()
    link(project.session(Role.RECONCILER), SECOND, KEY, "sent twice", "asha")
    put_sightings(project.conn, [replace(NACH, native_reference=f"position:2:{n}") for n in (1, 2)])
    project.assign()
    assert {posting_keys(project.conn)[f"position:2:{n}"] for n in (1, 2)} == {KEY, THIRD}


def test_what_was_linked_to_a_payment_counts_as_its_own_reference(project: DbtProject) -> None:
    """pay_2 is linked to the bank's payment: pay_3 is other money, not a second name of it."""
    put_lender(project.conn, ONE)
    bank = Seen("position:1:1", channel="file:bank", stream="online", bank="UTR1")
    hook = Seen("razorpay:pay_2", channel="razorpay", stream="online", gateway="razorpay:pay_2", bank="UTR2")
    put_sightings(project.conn, [bank, hook])
    project.assign()
    link(project.session(Role.RECONCILER), SECOND, KEY, "the bank's two names", "asha")
    put_sightings(
        project.conn, [replace(hook, native_reference="razorpay:pay_3", gateway="razorpay:pay_3", bank=None)]
    )
    assert project.assign().held == 1


def test_a_key_that_may_still_be_posted_is_not_linked_before_the_next_build(held: DbtProject) -> None:
    """Its conflict is newer than core_transaction_data: a claim at this moment would post it beside the other."""
    held.build("money_path_core")
    put_sightings(held.conn, [replace(NACH, amount="99.00")])
    held.assign()
    with pytest.raises(DecisionError, match="run build_warehouse"):
        link(held.session(Role.RECONCILER), KEY, SECOND, "sent twice", "asha")
    held.build("money_path_core")
    link(held.session(Role.RECONCILER), KEY, SECOND, "sent twice", "asha")


def test_keys_that_do_not_wait_for_a_person_are_not_decided(held: DbtProject) -> None:
    with pytest.raises(DecisionError, match="no posting key"):
        release(held.session(Role.RECONCILER), "unheard-of", "why not", "asha")
    with pytest.raises(DecisionError, match="waits for nobody"):
        release(held.session(Role.RECONCILER), KEY, "why not", "asha")
    with pytest.raises(DecisionError, match="waits for nobody"):
        link(held.session(Role.RECONCILER), KEY, SECOND, "why not", "asha")
    with pytest.raises(DecisionError, match="needs a reason"):
        release(held.session(Role.RECONCILER), SECOND, "  ", "asha")
    with pytest.raises(DecisionError, match="to itself"):
        link(held.session(Role.RECONCILER), SECOND, SECOND, "why not", "asha")
    assert decided(held) == []


def test_links_make_no_circle_and_no_chain(held: DbtProject) -> None:
    link(held.session(Role.RECONCILER), SECOND, THIRD, "sent twice", "asha")
    with pytest.raises(DecisionError, match=f"link to {THIRD} instead"):
        link(held.session(Role.RECONCILER), THIRD, SECOND, "sent twice", "asha")
    with pytest.raises(DecisionError, match=f"release that instead|linked to {THIRD}"):
        release(held.session(Role.RECONCILER), SECOND, "changed my mind", "asha")
    with pytest.raises(DecisionError, match="a decision stands"):
        link(held.session(Role.RECONCILER), SECOND, KEY, "changed my mind", "asha")


@pytest.mark.parametrize(
    "begun",
    [
        "insert into core.core_transaction_data_processed (posting_key, outcome, lender, loan_id, business_date,"
        " amount, attempts, processed_by_run) values (%s, 'posted', 'one', 'ONE000001', '2026-01-05', 100, 1, 'test')",
        "insert into core.core_fineract_pending_transactions (posting_key, lender, loan_id, business_date, amount,"
        " payment_type_id, state, created_by_run) values (%s, 'one', 'ONE000001', '2026-01-05', 100, 1, 'unknown', '')",
    ],
)
def test_money_whose_posting_has_begun_is_not_linked_away(held: DbtProject, begun: str) -> None:
    held.conn.execute(begun, (SECOND,))
    with pytest.raises(DecisionError, match="reversed in Fineract"):
        link(held.session(Role.RECONCILER), SECOND, KEY, "sent twice", "asha")


def test_a_resolved_conflict_stays_resolved_until_it_says_something_else(held: DbtProject) -> None:
    put_sightings(held.conn, [replace(NACH, amount="99.00")])
    held.assign()
    release(held.session(Role.RECONCILER), KEY, "the bank corrected its file, we keep 100.00", "asha")
    questions = {("possible_duplicate", SECOND), ("possible_duplicate", THIRD)}
    put_sightings(held.conn, [replace(NACH, amount="99.00")])
    held.assign()
    assert open_exceptions(held.conn) == questions
    put_sightings(held.conn, [replace(NACH, amount="98.00")])
    held.assign()
    assert open_exceptions(held.conn) == {*questions, ("identity_conflict", KEY)}


def test_keys_that_share_a_reference_agree_again_when_linked(held: DbtProject) -> None:
    bank = [replace(NACH, native_reference=f"position:1:{n}", bank="UTR1") for n in (1, 2)]
    put_sightings(held.conn, bank)
    held.assign()
    assert {subject for kind, subject in open_exceptions(held.conn) if kind == "identity_conflict"} == {
        KEY,
        SECOND,
    }
    link(held.session(Role.RECONCILER), SECOND, KEY, "one UTR", "asha")
    held.assign()
    assert open_exceptions(held.conn) == {("possible_duplicate", THIRD)}


def test_the_command_line_shows_and_decides(held: DbtProject, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in warehouse_connections(held.url).items():
        monkeypatch.setenv(name, value)
    held.build("money_path_core")
    run = CliRunner().invoke
    shown = run(app, ["show", "position:1:2"])
    assert shown.exit_code == 0
    assert f"posting key {SECOND}" in shown.output
    assert "posting_block=possible_duplicate" in shown.output
    refused = run(app, ["release", KEY, "--reason", "why not", "--actor", "asha"])
    assert refused.exit_code == 2
    assert "waits for nobody" in refused.output
    assert run(app, ["release", SECOND, "--reason", "part payments", "--actor", "asha"]).exit_code == 0
    assert run(app, ["link", THIRD, "--to", KEY, "--reason", "sent twice", "--actor", "asha"]).exit_code == 0
    assert decided(held) == [(SECOND, "release", None), (THIRD, "link", KEY)]
    assert "linked from" in run(app, ["show", THIRD]).output
    assert run(app, ["show", "nothing"]).exit_code == 2
