"""A loaded file read again under another mapping: the difference in rows and rupees first, then exactly that."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.ingestion.files import BUCKET, GB_PREFIX, RUN, Loads, debit, gb_csv
from tests.ingestion.test_killed_loads import OPEN, WAITING, holding, wait_for
from turno_lms.ingestion.files import describe_file
from turno_lms.ingestion.load import FileRefusedError, ingest_file
from turno_lms.ingestion.replay import ReplayReport, files_to_replay, replay_file, try_replay
from turno_lms.lenders import mapping_versions
from turno_lms.lenders.schema import FileKind, Filter, Lender, Thresholds
from turno_lms.posting.proof import find_files_that_do_not_tie
from turno_lms.warehouse.connection import Role, WarehouseConnection

KEY = f"{GB_PREFIX}a.csv"
RAW = """
select _row_number, payment_id, amount, _mapping_version from raw.raw_payment_file order by _file_id, _row_number
"""
SET_ASIDE = """
select row_number, disposition, reason_code, fate, fate_by from raw.raw_rejected_records order by file_id, row_number
"""
LOG = """
select state, rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected, paise_read, paise_accepted,
    rows_amount_unreadable, mapping_version
from raw.raw_s3_file_processing_log order by file_id
"""
DIFFERENCES = """
select state, amount::text as amount, (detail ->> 'differs')::int as differs,
    (detail ->> 'no_longer_accepted')::int as gone
from core.core_recon_exception where kind = 'replay_difference'
"""
EVERYTHING = """
select md5(string_agg(part, '|' order by part)) from (
    select landed::text as part from raw.raw_payment_file as landed
    union all select aside::text from raw.raw_rejected_records as aside
    union all select log::text from raw.raw_s3_file_processing_log as log
    union all select replay::text from raw.raw_file_replay as replay
    union all select exception::text from core.core_recon_exception as exception
    union all select mapping::text from core.core_lender_mapping as mapping
) as parts
"""

# 5: accepted 5499.00; 6: Returned, filtered, 1000.00; 7: a date GB's mapping does not know, 300.00; 8: no amount;
# 9: a status it does not know, 250.00; 10..24: 15 accepted of 10.00 each
FILE = gb_csv(
    debit(),
    debit(amount="1,000.00", status="Returned", reference="T2"),
    debit(amount="300.00", day="2026-01-08", reference="T3"),
    debit(amount="NIL", reference="T4"),
    debit(amount="250.00", status="Paid", reference="T5"),
    *(debit(amount="10.00", reference=f"U{number}") for number in range(15)),
)


def gb_with(loads: Loads, **changes: Any) -> Lender:
    """GB under a changed mapping of its file kind, read from YAML's data so that its version is its own."""
    gb = loads.lenders["gb"]
    data = gb.model_dump(mode="json", by_alias=True, exclude_unset=True)
    kind = data["files"]["nach_response"]
    for path, value in changes.items():
        *steps, last = path.split("__")
        part = kind
        for step in steps:
            part = part[step]
        part[last] = value
    return Lender.model_validate(data, strict=False)


def kinder(loads: Loads) -> Lender:
    """GB's mapping after it learned ISO dates and the status `Paid`."""
    return gb_with(
        loads,
        columns__date__formats=["%d/%m/%Y", "%Y-%m-%d"],
        columns__status__values={"collected": ["Success", "Accepted", "Paid"], "failed": ["Returned"]},
    )


def replay(loads: Loads, lender: Lender, file_id: int = 1) -> ReplayReport:
    return replay_file(loads.conn, loads.s3, lender, file_id, RUN)


def dry(loads: Loads, lender: Lender, *file_ids: int) -> list[ReplayReport]:
    return try_replay(loads.conn, loads.s3, lender, file_ids or (1,), RUN)


def test_a_dry_run_shows_the_difference_in_rows_and_rupees_and_writes_nothing(loads: Loads) -> None:
    loads.gb(FILE)
    before = loads.rows(EVERYTHING)
    (report,) = dry(loads, kinder(loads))
    assert loads.rows(EVERYTHING) == before
    assert report.difference is not None
    # accepted then 5499 + 15 x 10 = 5649.00; rows 7 and 9 pass now: + 300 + 250 = 6199.00
    assert report.difference.before.rows == {"accepted": 16, "filtered": 1, "duplicate": 0, "rejected": 3}
    assert report.difference.now.rows == {"accepted": 18, "filtered": 1, "duplicate": 0, "rejected": 1}
    assert (report.difference.before.rupees["accepted"], report.difference.now.rupees["accepted"]) == (
        "5649.00",
        "6199.00",
    )
    assert (report.difference.before.rupees["rejected"], report.difference.now.rupees["rejected"]) == (
        "550.00",
        "0.00",
    )
    assert (report.difference.changed_rows, report.difference.changed_rupees) == (
        {"accepted": 2},
        {"accepted": "550.00"},
    )
    assert [(row["row_number"], row["reason_before"], row["fate_now"]) for row in report.difference.rows] == [
        (7, "bad_date", "accepted"),
        (9, "unknown_status", "accepted"),
    ]
    text = report.to_text()
    assert "accepted: 2 rows, 550.00 rupees" in text
    assert "row 7: accepted: rejected bad_date 300.00 -> accepted 300.00" in text


def test_the_real_run_does_what_the_dry_run_said(loads: Loads) -> None:
    loads.gb(FILE)
    (said,) = dry(loads, kinder(loads))
    done = replay(loads, kinder(loads))
    assert done == replace(said, dry_run=False)
    version = kinder(loads).mapping_version
    assert [row for row in loads.rows(RAW) if row[0] in (5, 7, 9)] == [
        (5, "T1", "5499.00", loads.lenders["gb"].mapping_version),
        (7, "T3", "300.00", version),
        (9, "T5", "250.00", version),
    ]
    assert loads.rows(SET_ASIDE) == [
        (6, "filtered", "filtered_by_rule", "open", None),
        (7, "rejected", "bad_date", "replayed", "airflow"),
        (8, "rejected", "bad_amount", "open", None),
        (9, "rejected", "unknown_status", "replayed", "airflow"),
    ]
    # read 5649 + 1000 + 550 = 7199.00, of which 6199.00 accepted; one amount unreadable
    assert loads.rows(LOG) == [("loaded", 20, 18, 1, 0, 1, 719_900, 619_900, 1, version)]
    assert loads.rows(
        "select mapping_version_before, mapping_version, replayed_by from raw.raw_file_replay"
    ) == [(loads.lenders["gb"].mapping_version, version, "airflow")]


def test_a_second_replay_changes_nothing(loads: Loads) -> None:
    loads.gb(FILE)
    replay(loads, kinder(loads))
    before = loads.rows(EVERYTHING)
    again = replay(loads, kinder(loads))
    assert again.difference is not None
    assert again.difference.is_empty
    assert "nothing changes" in again.to_text()
    assert loads.rows(EVERYTHING) == before


def test_a_row_that_is_loaded_is_never_taken_back(loads: Loads) -> None:
    """A mapping that filters the small amounts: 15 loaded rows of 10.00 would be filtered now."""
    loads.gb(FILE)
    drops = gb_with(
        loads,
        filters={"not_collected": {"column": "status", "keep": ["collected"]}, "small": {"column": "amount", "drop": ["10.00"]}},
    )  # fmt: skip
    report = replay(loads, drops)
    assert report.difference is not None
    assert report.difference.changed_rows == {"no_longer_accepted": 15}
    assert len(loads.rows(RAW)) == 16
    assert loads.rows(DIFFERENCES) == [("open", "150.00", 0, 15)]
    before = loads.rows(EVERYTHING)
    replay(loads, drops)
    assert loads.rows(EVERYTHING) == before
    replay(loads, loads.lenders["gb"])
    assert [row[0] for row in loads.rows(DIFFERENCES)] == ["cleared"]


def test_a_row_that_would_be_another_payment_is_told_and_not_made(loads: Loads) -> None:
    """A mapping that takes the amounts for paise: 16 loaded rows would be a hundredth of what they are."""
    loads.gb(gb_csv(debit(amount="549900"), debit(amount="1000", reference="T2")))
    report = replay(loads, gb_with(loads, columns__amount__unit="paise"))
    assert report.difference is not None
    assert report.difference.changed_rows == {"differs": 2}
    assert report.difference.now.rupees["accepted"] == "550900.00"
    assert [(row["rupees_before"], row["rupees_now"]) for row in report.difference.rows] == [
        ("549900.00", "5499.00"),
        ("1000.00", "10.00"),
    ]
    assert [row[:3] for row in loads.rows(RAW)] == [(5, "T1", "549900.00"), (6, "T2", "1000.00")]
    # 549900 + 1000 are loaded
    assert loads.rows(DIFFERENCES) == [("open", "550900.00", 2, 0)]


def test_a_row_further_up_with_the_same_reference_does_not_become_a_second_payment(loads: Loads) -> None:
    """Row 5 was rejected and row 6, the same payment, loaded; now row 5 passes too."""
    fillers = [debit(reference=f"U{number}") for number in range(8)]
    loads.gb(gb_csv(debit(day="2026-01-05"), debit(), *fillers))
    report = replay(loads, kinder(loads))
    assert report.difference is not None
    assert report.difference.changed_rows == {"judged_otherwise": 1}
    assert loads.rows(SET_ASIDE) == [(5, "duplicate", "duplicate_of_earlier_file", "open", None)]
    assert [row[1] for row in loads.rows(RAW)].count("T1") == 1
    assert find_files_that_do_not_tie(loads.conn) == []


def test_a_row_with_the_reference_of_another_file_does_not_pass_a_replay(loads: Loads) -> None:
    loads.gb(FILE)
    loads.gb(gb_csv(debit(amount="300.00", day="08/01/2026", reference="T3")), "b.csv")
    report = replay(loads, kinder(loads))
    assert report.difference is not None
    assert report.difference.changed_rows == {"judged_otherwise": 1, "accepted": 1}
    assert [row[1] for row in loads.rows(RAW)].count("T3") == 1


def test_what_a_person_discarded_stays_discarded(loads: Loads) -> None:
    from turno_lms.ingestion.rejects import discard

    loads.gb(FILE)
    ((reject_id,),) = loads.rows("select reject_id from raw.raw_rejected_records where row_number = 7")
    discard(loads.conn, [reject_id], replace(RUN, actor="asha"), "the lender withdrew it")
    report = replay(loads, kinder(loads))
    assert report.rows_loaded == 1
    assert 7 not in [row[0] for row in loads.rows(RAW)]


def test_a_halted_file_is_loaded_by_a_replay_under_a_mended_mapping(loads: Loads) -> None:
    rows = [debit(day="2026-01-05", reference=f"T{number}") for number in range(4)]
    with pytest.raises(FileRefusedError):
        loads.gb(gb_csv(*rows, debit(reference="T9")))
    (said,) = dry(loads, kinder(loads))
    assert loads.rows("select state from raw.raw_s3_file_processing_log") == [("halted",)]
    done = replay(loads, kinder(loads))
    assert done == replace(said, dry_run=False)
    # 5 rows of 5499.00
    assert loads.rows(LOG) == [
        ("loaded", 5, 5, 0, 0, 0, 2_749_500, 2_749_500, 0, kinder(loads).mapping_version)
    ]
    assert {row[3] for row in loads.rows(SET_ASIDE)} == {"replayed"}
    assert find_files_that_do_not_tie(loads.conn) == []


def test_a_refused_file_is_loaded_by_a_replay_from_the_archive(loads: Loads) -> None:
    """Its heading was unknown; the mapping learns it, and the key has been overwritten meanwhile."""
    content = gb_csv(debit()).replace(b"Settlement Date", b"Paid On")
    with pytest.raises(FileRefusedError):
        loads.gb(content)
    loads.s3.delete_object(Bucket=BUCKET, Key=KEY)
    done = replay(loads, gb_with(loads, columns__date__heading=["Settlement Date", "Paid On"]))
    assert done.rows_loaded == 1
    assert [row[0] for row in loads.rows("select state from raw.raw_s3_file_processing_log")] == ["loaded"]


def test_a_mapping_that_would_reject_too_much_changes_nothing(loads: Loads) -> None:
    loads.gb(FILE)
    before = loads.rows(EVERYTHING)
    worse = gb_with(loads, columns__date__formats=["%d-%b-%Y"])
    (said,) = dry(loads, worse)
    assert said.refusal is not None
    assert "would reject 19 of 20 rows" in said.refusal
    assert replay(loads, worse).refusal == said.refusal
    assert loads.rows(EVERYTHING) == before


def test_a_dry_run_of_several_files_sees_what_the_ones_before_would_load(loads: Loads) -> None:
    """Both files have T3 with a date that is not known yet: only the first would load it."""
    loads.gb(FILE)
    loads.gb(FILE + b"\r\n", "b.csv")
    reports = dry(loads, kinder(loads), 1, 2)
    assert [report.rows_loaded for report in reports] == [2, 0]
    assert [replay(loads, kinder(loads), file_id).rows_loaded for file_id in (1, 2)] == [2, 0]


def test_a_superseded_version_is_not_replayed(loads: Loads) -> None:
    loads.gb(FILE)
    second = loads.gb(FILE + gb_csv(debit(reference="T99"))[-60:])
    assert files_to_replay(loads.conn, "gb", key=KEY) == [second.file_id]
    assert "replay file 2 instead" in (replay(loads, kinder(loads), 1).refusal or "")


def test_files_are_found_by_key_and_by_days(loads: Loads) -> None:
    from datetime import UTC, date, datetime, timedelta

    from turno_lms.domain.dates import ist_date

    loads.gb(FILE)
    loads.gb(gb_csv(debit(reference="X")), "b.csv")
    today = ist_date(datetime.now(UTC))
    assert files_to_replay(loads.conn, "gb") == [1, 2]
    assert files_to_replay(loads.conn, "gb", key=f"{GB_PREFIX}b.csv") == [2]
    assert files_to_replay(loads.conn, "gb", first_day=today, last_day=today) == [1, 2]
    assert files_to_replay(loads.conn, "gb", last_day=today - timedelta(days=1)) == []
    assert files_to_replay(loads.conn, "gb", first_day=date(2026, 1, 1)) == [1, 2]
    assert files_to_replay(loads.conn, "ugro") == []


def test_every_mapping_version_that_was_used_is_kept_and_can_be_read(loads: Loads) -> None:
    gb, new = loads.lenders["gb"], kinder(loads)
    loads.gb(FILE)
    replay(loads, new)
    with loads.conn.transaction():
        assert {row["mapping_version"] for row in mapping_versions.kept(loads.conn, "gb")} == {
            gb.mapping_version,
            new.mapping_version,
        }
        assert mapping_versions.read(loads.conn, "gb", gb.mapping_version) == gb
        with pytest.raises(mapping_versions.MappingVersionError, match=f"kept are .*{gb.mapping_version}"):
            mapping_versions.read(loads.conn, "gb", "abc")


def test_an_earlier_mapping_is_replayed_as_it_was(loads: Loads) -> None:
    """Loaded under the kind mapping; read as the strict one had it, rows 7 and 9 would not be there: told, not made."""
    patient = replace(loads, lenders={"gb": kinder(loads)})
    patient.gb(FILE)
    strict = mapping_versions.read(loads.conn, "gb", loads.lenders["gb"].mapping_version)
    loads.conn.commit()
    report = replay(loads, strict)
    assert report.difference is not None
    assert report.difference.changed_rows == {"no_longer_accepted": 2}
    assert report.difference.changed_rupees == {"no_longer_accepted": "550.00"}
    assert report.difference.now.rows["accepted"] == 18


@pytest.mark.faults
@pytest.mark.parametrize("stopped_at", ["raw_rejected_records", "raw_payment_file", "raw_file_replay"])
def test_a_killed_replay_leaves_nothing_half_and_is_done_again(
    loads: Loads,
    warehouse: WarehouseConnection,
    warehouse_role_url: Callable[[str], str],
    s3_url: str,
    stopped_at: str,
) -> None:
    loads.gb(FILE)
    with loads.conn.transaction():
        mapping_versions.keep(loads.conn, kinder(loads))
    before = loads.rows(EVERYTHING)
    command = [
        sys.executable, "-m", "tests.ingestion.replaying_process", warehouse_role_url(Role.INGESTION), s3_url,
        kinder(loads).mapping_version,
    ]  # fmt: skip
    with holding(warehouse, stopped_at):
        process = subprocess.Popen(command)
        wait_for(loads, WAITING, 1)
        process.kill()
        assert process.wait() == -9
    wait_for(loads, OPEN, 0)
    assert loads.rows(EVERYTHING) == before
    subprocess.run(command, check=True, timeout=120)
    assert loads.rows(LOG)[0][:3] == ("loaded", 20, 18)
    assert find_files_that_do_not_tie(loads.conn) == []


def test_kinds_of_file_keep_their_thresholds_when_read_back(loads: Loads) -> None:
    """What a kept mapping says is what it said: nothing is lost on the way through JSON."""
    kind: FileKind = kinder(loads).files["nach_response"]
    assert kind.thresholds == Thresholds(reject_percent=20)
    assert kind.filters == {"not_collected": Filter(column="status", keep=("collected",))}


def test_a_reversal_is_no_duplicate_of_the_payment_it_takes_back(loads: Loads) -> None:
    """Same reference, loan, date and amount, and the opposite: loaded beside it, in the same file or later, and once."""
    told = gb_with(
        loads, columns__status__values={"collected": ["Success"], "reversed": ["Reversed"]}, filters={}
    )
    reversal = debit(status="Reversed")
    fillers = [debit(reference=f"U{number}") for number in range(8)]
    first = gb_csv(debit(), reversal, *fillers)
    again = debit(reference="U1", status="Reversed")
    later = gb_csv(reversal, again, again, *(debit(reference=f"V{number}") for number in range(8)))
    for name, content in (("first.csv", first), ("later.csv", later)):
        loads.put(KEY.replace("a.csv", name), content)
        ingest_file(
            loads.conn,
            loads.s3,
            told,
            describe_file(loads.s3, loads.bucket, told, KEY.replace("a.csv", name)),
            RUN,
        )
    found = "select file_id, row_number, disposition, reason_code from raw.raw_rejected_records order by 1, 2"
    assert loads.rows(found) == [
        (2, 5, "duplicate", "duplicate_of_earlier_file"),
        (2, 7, "duplicate", "duplicate_in_file"),
    ]
    back = "select payment_id, _file_id from raw.raw_payment_file where status = 'reversed' order by 2"
    assert loads.rows(back) == [("T1", 1), ("U1", 2)]


def test_the_page_on_replays_shows_what_a_dry_run_says(loads: Loads) -> None:
    """If this fails: put what is shown here into docs/replaying-files.md."""
    loads.gb(FILE)
    now = kinder(loads)
    (report,) = dry(loads, now)
    text = report.to_text()
    for name, lender in (("BEFORE", loads.lenders["gb"]), ("NOW", now)):
        text = text.replace(lender.mapping_version, name)
    page = Path(__file__).parents[2] / "docs" / "replaying-files.md"
    assert f"```\n{text}\n```" in page.read_text(encoding="utf-8"), text
