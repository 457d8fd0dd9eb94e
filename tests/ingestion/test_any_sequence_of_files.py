"""Whatever is sent, resent, replayed, corrected and discarded, in whatever order: no row twice, no rupee lost."""

from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.ingestion.files import GB_PREFIX, RUN, Loads, debit, gb_csv
from tests.ingestion.test_replays import kinder, replay
from turno_lms.ingestion.files import find_new_files
from turno_lms.ingestion.rejects import Correction, RejectError, discard, fix
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.schema import Lender, Thresholds
from turno_lms.posting.proof import find_files_that_do_not_tie

FAST = (Phase.explicit, Phase.generate)
"""An example costs a second: it is told as it was found, not made smaller first."""

EMPTY = """
truncate raw.raw_payment_file, raw.raw_rejected_records, raw.raw_file_replay, raw.raw_s3_file_processing_log,
    core.core_recon_exception, core.core_change_log restart identity cascade
"""
LOADED = (
    "select count(*) as rows, count(distinct (_file_id, _row_number)) as places from raw.raw_payment_file"
)
REFERENCES = "select count(payment_id) as all_of_them, count(distinct payment_id) as different from raw.raw_payment_file"
ACCEPTED = """
select amount, date, payment_id, _umrn, count(*) from raw.raw_payment_file where source_file = %s group by 1, 2, 3, 4
"""
OPEN_REJECTS = """
select reject_id from raw.raw_rejected_records where disposition = 'rejected' and fate = 'open' order by reject_id
"""
LEDGER = """
select log.key, log.state, log.rows_read, log.rows_accepted, log.paise_accepted,
    (select count(*) from raw.raw_payment_file as landed where landed._file_id = log.file_id) as landed
from raw.raw_s3_file_processing_log as log order by log.file_id
"""

payments = st.builds(
    debit,
    umrn=st.sampled_from(["HDFC7000100234000001", "UTIB7000100777000001"]),
    amount=st.sampled_from(["10.00", "20.00"]),
    day=st.sampled_from(["05/01/2026", "2026-01-06"]),  # the second form is known to the kinder mapping alone
    status=st.sampled_from(["Success", "Success", "Paid", "Returned"]),
    reference=st.sampled_from(["T1", "T2", "T3", "", ""]),
)
files = st.lists(payments, max_size=5)
without_references = st.lists(payments.map(lambda row: (*row[:-1], "")), max_size=5)
steps = st.one_of(
    st.tuples(st.just("send"), st.sampled_from(["a.csv", "b.csv"]), files),
    st.tuples(st.just("replay"), st.integers(1, 4), st.booleans()),
    st.tuples(st.just("fix"), st.integers(0, 5), st.booleans()),
    st.tuples(st.just("discard"), st.integers(0, 5), st.none()),
)


def patient(lender: Lender) -> Lender:
    """The mapping without a limit to what may be rejected."""
    kind = lender.files["nach_response"].model_copy(update={"thresholds": Thresholds(reject_percent=100)})
    return lender.model_copy(update={"files": {"nach_response": kind}})


def act(loads: Loads, step: tuple[Any, ...]) -> None:
    what, which, how = step
    if what == "send":
        loads.s3.put_object(Bucket=loads.bucket, Key=GB_PREFIX + which, Body=gb_csv(*how))
        for file in find_new_files(loads.conn, loads.s3, loads.bucket, loads.lenders["gb"]):
            loads.ingest(file)
        return
    if what == "replay":
        if loads.rows("select from raw.raw_s3_file_processing_log where file_id = %s", which):
            replay(loads, patient(kinder(loads)) if how else loads.lenders["gb"], which)
        return
    rejects = [row[0] for row in loads.rows(OPEN_REJECTS)]
    if which < len(rejects):
        put_right(loads, what, rejects[which], is_other_money=bool(how))


def put_right(loads: Loads, what: str, reject_id: int, *, is_other_money: bool) -> None:
    if what == "discard":
        discard(loads.conn, [reject_id], RUN, "not ours")
        return
    cells = {"Settlement Date": "07/01/2026", "Status": "Success"}
    wanted = Correction(reject_id, "mended", cells, is_other_money=is_other_money)
    try:
        fix(loads.conn, loads.s3, loads.lenders["gb"], wanted, RUN)
    except RejectError:
        return


def nothing_is_twice_or_lost(loads: Loads) -> None:
    with loads.conn.transaction():
        assert find_files_that_do_not_tie(loads.conn) == []
    ((rows, places),) = loads.rows(LOADED)
    ((references, different),) = loads.rows(REFERENCES)
    assert (rows, references) == (places, different)


@settings(
    max_examples=25, deadline=None, phases=FAST, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sequence=st.lists(steps, min_size=2, max_size=7))
def test_any_sequence_conserves_rows_and_rupees_and_accepts_no_row_twice(
    loads: Loads, warehouse: Any, sequence: list[tuple[Any, ...]]
) -> None:
    clean(loads, warehouse)
    careful = replace(loads, lenders={"gb": patient(loads.lenders["gb"])})
    loaded: Counter[Any] = Counter()
    for step in sequence:
        act(careful, step)
        nothing_is_twice_or_lost(loads)
        now = Counter(loads.rows("select _file_id, _row_number, amount, date from raw.raw_payment_file"))
        assert loaded <= now, f"{step} took back what was loaded"
        loaded = now


@settings(
    max_examples=20, deadline=None, phases=FAST, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(versions=st.lists(without_references, min_size=1, max_size=4))
def test_a_payment_is_accepted_as_often_as_the_version_that_has_it_most_often(
    loads: Loads, warehouse: Any, versions: list[list[tuple[str, ...]]]
) -> None:
    """Versions of one key with no reference to tell rows apart: RAW has each payment at most as often as one version.

    (Rows whose references differ are different money, and the identity step holds those that look alike.)
    """
    clean(loads, warehouse)
    careful = replace(loads, lenders={"gb": patient(kinder(loads))})
    most: Counter[Any] = Counter()
    for rows in versions:
        act(careful, ("send", "a.csv", rows))
        most |= Counter((row[1], row[2], row[3][-10:]) for row in rows if row[4] != "Returned")
        nothing_is_twice_or_lost(loads)
    accepted: Counter[Any] = Counter()
    for amount, day, _, umrn, count in loads.rows(ACCEPTED, f"{GB_PREFIX}a.csv"):
        written = "05/01/2026" if day == "2026-01-05" else day
        accepted[umrn, amount, written] += count
    assert accepted <= most


def clean(loads: Loads, warehouse: Any) -> None:
    for listed in loads.s3.list_objects_v2(Bucket=loads.bucket).get("Contents", []):
        loads.s3.delete_object(Bucket=loads.bucket, Key=listed["Key"])
    warehouse.execute(EMPTY)
    apply_lenders(warehouse, loads.lenders)
    warehouse.commit()
