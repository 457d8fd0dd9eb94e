"""The rules of "Identity: one rupee, one row", one by one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from psycopg.errors import UniqueViolation

from tests.dbt.landing import put_lender
from tests.dbt.project import RUN, DbtProject
from tests.identity.sightings import ONE, TWO, Seen, open_exceptions, posting_keys, put_sightings
from turno_lms.identity.assign import LOCK, IdentityReport, assign_identities
from turno_lms.warehouse.connection import Role, connect

HOOK = Seen("razorpay:pay_1", channel="razorpay", stream="online", gateway="razorpay:pay_1")
REPORT = Seen("file:one:report:pay_1", channel="file:report", stream="online", gateway="razorpay:pay_1")
BANK = Seen("position:9:1", channel="file:bank", stream="online")
NACH = Seen("position:1:1")


@pytest.fixture
def step(project: DbtProject) -> DbtProject:
    for lender in (ONE, TWO):
        put_lender(project.conn, lender)
    return project


def see(step: DbtProject, *sightings: Seen) -> dict[str, str]:
    put_sightings(step.conn, sightings)
    step.assign()
    return posting_keys(step.conn)


def test_the_first_sight_of_a_payment_gets_its_source_key_as_posting_key(step: DbtProject) -> None:
    assert see(step, NACH) == {"position:1:1": NACH.source_key}


def test_the_same_gateway_payment_is_one_payment_whatever_its_date_says(step: DbtProject) -> None:
    see(step, HOOK)
    frozen = see(step, replace(REPORT, day=7))
    assert frozen[REPORT.native_reference] == frozen[HOOK.native_reference] == HOOK.source_key
    assert open_exceptions(step.conn) == set()


def test_the_same_bank_reference_is_one_payment_for_one_lender_only(step: DbtProject) -> None:
    frozen = see(
        step,
        replace(NACH, bank="UTR1"),
        Seen("position:2:1", channel="file:statement", bank="UTR1", day=6),
        Seen("position:3:1", lender="two", loan_id="TWO000001", bank="UTR1"),
    )
    assert frozen["position:1:1"] == frozen["position:2:1"]
    assert frozen["position:3:1"] != frozen["position:1:1"]


@pytest.mark.parametrize("other", [{"amount": "101.00"}, {"loan_id": "ONE000002"}])
def test_one_reference_with_another_loan_or_amount_is_a_conflict_and_no_second_payment(
    step: DbtProject, other: dict[str, str]
) -> None:
    see(step, HOOK)
    frozen = see(step, replace(REPORT, **other))
    assert set(frozen.values()) == {HOOK.source_key}
    assert open_exceptions(step.conn) == {("identity_conflict", HOOK.source_key)}


def test_other_channels_of_a_stream_pair_by_source_key_the_kth_with_the_kth(step: DbtProject) -> None:
    first, second = (
        replace(NACH, native_reference="position:1:1"),
        replace(NACH, native_reference="position:1:2"),
    )
    see(step, first, second)
    statement = [Seen(f"position:2:{n}", channel="file:statement") for n in (1, 2)]
    frozen = see(step, *statement)
    assert [frozen[seen.native_reference] for seen in statement] == [NACH.source_key, f"{NACH.source_key}-o2"]


def test_within_one_channel_a_second_payment_is_held_and_not_merged(step: DbtProject) -> None:
    frozen = see(step, NACH, replace(NACH, native_reference="position:1:2"))
    held = f"{NACH.source_key}-o2"
    assert frozen["position:1:2"] == held
    assert open_exceptions(step.conn) == {("possible_duplicate", held)}


def test_another_stream_of_the_lender_is_never_the_same_payment(step: DbtProject) -> None:
    frozen = see(step, NACH, BANK)
    assert frozen[NACH.native_reference] != frozen[BANK.native_reference]


def test_channels_whose_bank_references_differ_are_two_payments(step: DbtProject) -> None:
    frozen = see(
        step, replace(NACH, bank="UTR1"), Seen("position:2:1", channel="file:statement", bank="UTR2")
    )
    assert len(set(frozen.values())) == 2
    assert ("possible_duplicate", f"{NACH.source_key}-o2") in open_exceptions(step.conn)


def test_channels_whose_gateway_payments_differ_are_two_payments(step: DbtProject) -> None:
    frozen = see(step, HOOK, replace(REPORT, gateway="razorpay:pay_2"))
    assert len(set(frozen.values())) == 2


def test_a_blank_reference_is_no_reference(step: DbtProject) -> None:
    """A row without a reference pairs with one that has one, but two such rows of a channel are not one payment."""
    frozen = see(
        step,
        NACH,
        replace(NACH, native_reference="position:1:2"),
        Seen("s", channel="file:statement", bank="U"),
    )
    assert frozen["s"] == frozen["position:1:1"] != frozen["position:1:2"]


def test_a_row_with_a_reference_takes_the_payment_that_has_none(step: DbtProject) -> None:
    """Two payments, the first with reference UTR1; the statement's UTR2 can only be the second."""
    see(step, replace(NACH, bank="UTR1"), replace(NACH, native_reference="position:1:2"))
    frozen = see(
        step,
        Seen("a without", channel="file:statement"),
        Seen("b with", channel="file:statement", bank="UTR2"),
    )
    assert frozen["b with"] == frozen["position:1:2"]
    assert frozen["a without"] == frozen["position:1:1"]


def test_a_reference_that_came_after_its_payment_still_joins(step: DbtProject) -> None:
    """The webhook's RRN arrives with a later event; the bank's file then names it, on another day."""
    see(step, HOOK)
    see(step, replace(HOOK, bank="601012345678"))
    frozen = see(step, replace(BANK, bank="601012345678", day=6))
    assert frozen[BANK.native_reference] == HOOK.source_key


def test_sightings_linked_only_by_a_third_are_one_payment_when_they_come_together(step: DbtProject) -> None:
    frozen = see(step, replace(HOOK, bank="UTR1"), REPORT, replace(BANK, bank="UTR1", day=6))
    assert set(frozen.values()) == {HOOK.source_key}


def test_keys_that_turn_out_to_share_a_reference_are_both_in_conflict(step: DbtProject) -> None:
    """The report and the bank's file came first, on different days, as two payments; the webhook names both."""
    see(step, REPORT, replace(BANK, bank="UTR1", day=6))
    frozen = see(step, replace(HOOK, bank="UTR1"))
    assert frozen[HOOK.native_reference] == frozen[REPORT.native_reference]
    assert open_exceptions(step.conn) == {("identity_conflict", key) for key in set(frozen.values())}


def test_one_bank_reference_on_two_gateway_payments_is_a_conflict(step: DbtProject) -> None:
    see(step, replace(HOOK, bank="UTR1"))
    second = replace(HOOK, native_reference="razorpay:pay_2", gateway="razorpay:pay_2", bank="UTR1")
    frozen = see(step, second)
    assert frozen[second.native_reference] == HOOK.source_key
    assert open_exceptions(step.conn) == {("identity_conflict", HOOK.source_key)}


def test_a_bank_reference_that_came_late_and_contradicts_the_pair_is_a_conflict(step: DbtProject) -> None:
    """Two equal payments: the file has seen the one with UTR1, the webhook tells of the one with UTR2, at first without
    saying so. When the file brings UTR2 too, both of its rows stand under one key: one posting for two payments."""
    row = Seen("position:4:1", channel="file:bank", stream="online", bank="UTR1")
    see(step, row)
    frozen = see(step, HOOK)
    assert set(frozen.values()) == {HOOK.source_key}
    see(step, replace(HOOK, bank="UTR2"))
    assert open_exceptions(step.conn) == {("identity_conflict", HOOK.source_key)}
    see(step, replace(row, native_reference="position:4:2", bank="UTR2"))
    assert open_exceptions(step.conn) == {("identity_conflict", HOOK.source_key)}


def test_one_gateway_payment_may_have_another_bank_reference_in_another_system(step: DbtProject) -> None:
    see(step, replace(HOOK, bank="601012345678"), replace(REPORT, bank="UTR1"))
    assert open_exceptions(step.conn) == set()


@pytest.mark.parametrize(("month", "day", "agrees"), [(1, 12, True), (1, 13, False), (2, 5, False)])
def test_a_reference_that_comes_back_after_a_week_is_a_conflict(
    step: DbtProject, month: int, day: int, agrees: bool
) -> None:
    """A mapping that takes the mandate's reference for the payment's would make one payment of every instalment."""
    see(step, replace(NACH, bank="MANDATE7"))
    later = replace(NACH, native_reference="position:2:1", bank="MANDATE7", month=month, day=day)
    frozen = see(step, later)
    assert set(frozen.values()) == {NACH.source_key}
    assert open_exceptions(step.conn) == (set() if agrees else {("identity_conflict", str(NACH.source_key))})


def test_lenders_whose_slug_and_loan_id_run_together_do_not_share_a_payment(step: DbtProject) -> None:
    """`one` + `1L7` and `one1` + `L7` are one text, and so one source key; the streams have the same name."""
    put_lender(step.conn, replace(ONE, slug="one1", product_id=13))
    mine = Seen("position:1:1", loan_id="1L7")
    theirs = Seen("position:2:1", channel="file:statement", lender="one1", loan_id="L7")
    assert mine.source_key == theirs.source_key
    frozen = see(step, mine, theirs)
    assert set(frozen.values()) == {mine.source_key, f"{mine.source_key}-o2"}
    assert open_exceptions(step.conn) == {("possible_duplicate", f"{mine.source_key}-o2")}


def test_a_blank_row_is_evidence_of_the_money_that_stayed_rather_than_of_what_went_back(
    step: DbtProject,
) -> None:
    """The first attempt was refunded, the second stayed; the bank's file knows the second only."""
    second = replace(HOOK, native_reference="razorpay:pay_2", gateway="razorpay:pay_2")
    see(step, replace(HOOK, status="refunded"), second)
    frozen = see(step, BANK)
    assert frozen[BANK.native_reference] == frozen[second.native_reference]


@pytest.mark.parametrize("change", [{"day": 6}, {"amount": "99.00"}, {"loan_id": "ONE000002"}])
def test_a_later_derivation_that_differs_is_a_conflict_and_never_another_key(
    step: DbtProject, change: dict[str, str | int]
) -> None:
    frozen = see(step, NACH)
    assert see(step, replace(NACH, **change)) == frozen
    assert open_exceptions(step.conn) == {("identity_conflict", NACH.source_key)}
    see(step, NACH)
    assert open_exceptions(step.conn) == set()


def test_a_loan_that_is_lost_after_the_key_was_given_is_a_conflict(step: DbtProject) -> None:
    see(step, NACH)
    see(step, replace(NACH, resolution_error="ambiguous_loan"))
    assert open_exceptions(step.conn) == {("identity_conflict", NACH.source_key)}


@pytest.mark.parametrize(
    "error", ["unknown_loan", "ambiguous_loan", "umrn_unknown", "loan_of_other_lender", "unparsed_reference"]
)
def test_a_sighting_without_a_loan_gets_an_exception_that_clears_when_the_loan_is_found(
    step: DbtProject, error: str
) -> None:
    assert see(step, replace(NACH, resolution_error=error)) == {}
    assert open_exceptions(step.conn) == {(error, NACH.native_reference)}
    assert see(step, NACH) == {NACH.native_reference: NACH.source_key}
    assert open_exceptions(step.conn) == set()


def test_an_unresolved_sighting_that_fails_for_another_reason_now_shows_that_reason(step: DbtProject) -> None:
    see(step, replace(NACH, resolution_error="umrn_unknown"))
    see(step, replace(NACH, resolution_error="unknown_loan"))
    assert open_exceptions(step.conn) == {("unknown_loan", NACH.native_reference)}


def test_a_row_that_says_the_money_did_not_come_is_no_payment(step: DbtProject) -> None:
    assert see(step, replace(NACH, is_collection=False)) == {}
    assert open_exceptions(step.conn) == set()


def test_a_sighting_that_commits_late_under_a_lower_transaction_is_not_skipped(step: DbtProject) -> None:
    """dbt takes the same lock, so it cannot be in the middle of a write while the step looks for its last one."""

    project = step.dbt(
        "ls", "--select", "core_payment_sighting", "--output", "json", "--output-keys", "config"
    )
    assert f"pg_advisory_xact_lock({LOCK})" in project[0].replace("{{ var('identity_lock') }}", str(LOCK))
    variable = step.dbt("show", "--inline", "select {{ var('identity_lock') }} as lock")
    assert int(variable.results[0].agate_table.rows[0]["lock"]) == LOCK


def test_the_report_counts_what_was_done(step: DbtProject) -> None:
    on_the_6th = replace(NACH, day=6)
    unknown = Seen("position:2:2", channel="file:statement", resolution_error="unknown_loan")
    put_sightings(
        step.conn,
        [
            HOOK,
            REPORT,
            on_the_6th,
            replace(on_the_6th, native_reference="position:1:2"),
            Seen("position:2:1", channel="file:statement", day=6),
            unknown,
        ],
    )
    report = step.assign()
    # payments: the hook with its report, and two NACH rows, the second held; the statement pairs with the first
    assert (report.sightings_read, report.identities, report.payments, report.held) == (6, 5, 3, 1)
    assert (report.paired_by_source_key, report.unresolved_opened, report.conflicts_opened) == (1, 1, 0)


def test_what_was_derived_anew_is_read_once_and_a_conflict_in_it_found(step: DbtProject) -> None:
    """As after a full refresh: all sightings are new, none is new money."""
    see(step, NACH)
    put_sightings(step.conn, [replace(NACH, amount="1.00")])
    again = [step.assign() for _ in range(3)]
    assert [(report.sightings_read, report.identities) for report in again] == [(1, 0), (0, 0), (0, 0)]
    assert [report.conflicts_opened for report in again] == [1, 0, 0]
    put_sightings(step.conn, [NACH])
    report = step.assign()
    assert (report.sightings_read, report.conflicts_cleared) == (1, 1)


def test_two_runs_at_once_take_turns_and_number_occurrences_without_a_gap(step: DbtProject) -> None:
    put_sightings(step.conn, [replace(NACH, native_reference=f"position:1:{n}") for n in range(5)])
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda _: assign_in_own_connection(step), range(4)))
    assert sorted(report.identities for report in reports) == [0, 0, 0, 5]
    keys = {f"{NACH.source_key}-o{n}" for n in range(2, 6)}
    assert set(posting_keys(step.conn).values()) == {NACH.source_key, *keys}


def assign_in_own_connection(step: DbtProject) -> IdentityReport:
    with connect(step.url(Role.RECONCILER)) as conn:
        return assign_identities(conn, RUN)


def test_a_second_founder_of_a_posting_key_is_refused_by_the_table_itself(step: DbtProject) -> None:
    see(step, NACH)
    with pytest.raises(UniqueViolation, match="one_founder"):
        step.conn.execute(
            "insert into core.core_payment_identity select 'other', posting_key, source_key, occurrence, lender, loan_id,"
            " business_date, amount, stream, channel, null, null, matched_by, null, now(), 3, true"
            " from core.core_payment_identity"
        )
