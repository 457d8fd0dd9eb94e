"""Whatever is seen, in whatever order and batches: as many posting keys as payments, and no key ever changes."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.dbt.landing import put_lender
from tests.dbt.project import DbtProject
from tests.identity.sightings import ONE, Seen, posting_keys, put_sightings
from turno_lms.identity.statements import STATEMENTS

ONLINE, DEBITS = ("razorpay", "file:report"), ("file:nach", "file:statement")
_WORKING = (
    "core.core_payment_sighting, core.core_payment_identity, core.core_recon_exception, core.core_change_log"
)

Batches = list[list[Seen]]
quickly = settings(
    max_examples=40,
    deadline=None,
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate),  # the planted bugs need not be made small
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def step(project: DbtProject) -> DbtProject:
    put_lender(project.conn, ONE)
    return project


@st.composite
def payments_with_references(draw: st.DrawFn) -> tuple[int, list[Seen]]:
    """Payments that differ in little but their reference, each seen in some channels of its stream, perhaps on
    different days: how many there are, and their sightings."""
    number_of_payments = draw(st.integers(1, 6))
    sightings = []
    for number in range(number_of_payments):
        amount = draw(st.sampled_from(["100.00", "200.00"]))
        channels = draw(st.sampled_from([ONLINE, DEBITS]))
        stream = "online" if channels is ONLINE else "debits"
        reference = {"gateway": f"razorpay:pay_{number}"} if channels is ONLINE else {"bank": f"UTR{number}"}
        for channel in draw(st.lists(st.sampled_from(channels), min_size=1, unique=True)):
            day = draw(st.integers(5, 6))
            sightings.append(
                Seen(f"{channel}#{number}", channel, stream, day=day, amount=amount, **reference)
            )
    return number_of_payments, sightings


@st.composite
def sightings_of_any_kind(draw: st.DrawFn) -> list[Seen]:
    """Sightings of one loan and few amounts in every channel; a reference belongs to one channel, or is missing."""
    kinds = draw(
        st.lists(
            st.tuples(
                st.sampled_from([*ONLINE, "file:bank", *DEBITS]),
                st.sampled_from(["100.00", "200.00"]),
                st.booleans(),
            ),
            min_size=1,
            max_size=10,
        )
    )
    return [_any_kind(number, *kind) for number, kind in enumerate(kinds)]


def _any_kind(number: int, channel: str, amount: str, has_bank_reference: bool) -> Seen:
    stream = "debits" if channel in DEBITS else "online"
    gateway = f"razorpay:pay_{number}" if channel == "razorpay" else None
    bank = f"UTR{number}" if has_bank_reference else None
    return Seen(f"{channel}#{number}", channel, stream, amount=amount, gateway=gateway, bank=bank)


@st.composite
def in_batches(draw: st.DrawFn, sightings: Sequence[Seen]) -> Batches:
    """The sightings in any order, cut into batches, some of them delivered again later."""
    shuffled = draw(st.permutations(sightings))
    cuts = sorted(draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    edges = [0, *cuts, len(shuffled)]
    batches = [list(shuffled[start:end]) for start, end in pairwise(edges)]
    batches[-1].extend(draw(st.lists(st.sampled_from(shuffled), max_size=3, unique=True)))
    return batches


def deliver(step: DbtProject, batches: Batches) -> dict[str, str]:
    """Run the step after each batch, and once more; no native reference may ever change its key."""
    step.conn.execute(f"truncate {_WORKING} cascade")
    frozen: dict[str, str] = {}
    for batch in batches:
        sightings = list({seen.native_reference: seen for seen in batch}.values())
        for transaction in (sightings[::2], sightings[1::2]):
            put_sightings(step.conn, transaction)
        step.assign()
        now = posting_keys(step.conn)
        assert frozen.items() <= now.items(), "a native reference changed its posting key"
        frozen = now
    before = _state(step)
    assert step.assign().identities == 0
    assert _state(step) == before, "a second run changed something"
    return frozen


def _state(step: DbtProject) -> list[object]:
    tables = ("core_payment_identity", "core_recon_exception", "core_change_log")
    return [step.rows(f"core.{table}") for table in tables]


def keys_are_payments(step: DbtProject) -> None:
    @quickly
    @given(st.data())
    def check(data: st.DataObject) -> None:
        number_of_payments, sightings = data.draw(payments_with_references())
        frozen = deliver(step, data.draw(in_batches(sightings)))
        assert len(set(frozen.values())) == number_of_payments

    check()


def references_never_mix(step: DbtProject) -> None:
    @quickly
    @given(st.data())
    def check(data: st.DataObject) -> None:
        sightings = data.draw(sightings_of_any_kind())
        frozen = deliver(step, data.draw(in_batches(sightings)))
        for reference in ("gateway", "bank"):
            carried = {(frozen[seen.native_reference], getattr(seen, reference)) for seen in sightings}
            counts = Counter(key for key, value in carried if value)
            assert not counts or max(counts.values()) == 1, "two references under one posting key"

    check()


def blank_rows_pair_as_a_multiset(step: DbtProject) -> None:
    """Without references a source key has as many payments as its busiest channel has sightings."""

    @quickly
    @given(st.data())
    def check(data: st.DataObject) -> None:
        counts = {channel: data.draw(st.integers(0, 4)) for channel in DEBITS}
        sightings = [
            Seen(f"{channel}#{n}", channel) for channel, times in counts.items() for n in range(times)
        ]
        frozen = deliver(step, data.draw(in_batches(sightings)) if sightings else [])
        assert len(set(frozen.values())) == max(counts.values())
        for channel, times in counts.items():
            keys = {key for native, key in frozen.items() if native.startswith(f"{channel}#")}
            assert len(keys) == times, "two sightings of one channel were merged"

    check()


PROPERTIES = (keys_are_payments, references_never_mix, blank_rows_pair_as_a_multiset)


@pytest.mark.parametrize("holds", PROPERTIES)
def test_property(step: DbtProject, holds: Callable[[DbtProject], None]) -> None:
    holds(step)


PLANTED = {
    "pairs within one channel": (
        "pair_by_source_key",
        "not partner.channels && class.channels\n        and",
        "",
    ),
    "pairs different references": (
        "pair_by_source_key",
        "and not partner.reference_kinds && class.reference_kinds",
        "",
    ),
    "forgets earlier occurrences": ("found_payments", "coalesce(known.occurrence, 0)", "0"),
    "joins by no reference": ("join_by_reference", "where unit.unit = known.unit", "where false"),
    "takes blank references for equal": (
        "merge_units",
        "when bank_reference is not null then min(unit) over (partition by lender, bank_reference)\n                else unit",
        "when true then min(unit) over (partition by lender, bank_reference)\n                else unit",
    ),
    "works known identities out anew": (
        "make_units",
        "sighting.frozen_posting_key is null and sighting.resolution_error",
        "sighting.resolution_error",
    ),
    "reads on from the newest sighting": (
        "read_sightings",
        "sighting._txid > %(last_read)s",
        "sighting._txid > (select coalesce(max(seen._txid), 0) from core.core_payment_sighting as seen) - 1"
        " and %(last_read)s >= 0",
    ),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_turns_a_property_red(
    step: DbtProject, monkeypatch: pytest.MonkeyPatch, bug: str
) -> None:
    name, text, instead = PLANTED[bug]
    assert text in STATEMENTS[name]
    monkeypatch.setitem(STATEMENTS, name, STATEMENTS[name].replace(text, instead))
    assert not all(_still_holds(step, holds) for holds in PROPERTIES), f"no property noticed that it {bug}"


def _still_holds(step: DbtProject, holds: Callable[[DbtProject], None]) -> bool:
    try:
        holds(step)
    except (AssertionError, psycopg.IntegrityError, psycopg.errors.CardinalityViolation):
        return False
    return True
