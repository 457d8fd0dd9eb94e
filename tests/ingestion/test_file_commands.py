"""`turno files`, `turno rejects`, `turno umrn`: what a person reads and does at a terminal."""

import csv
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests.ingestion.files import GB_PREFIX, RUN, UMRN, Loads, debit, gb_csv
from tests.ingestion.test_replays import FILE, KEY, RAW, kinder
from turno_lms.ingestion.spreadsheets import harmless
from turno_lms.ingestion.umrn import load_umrn_rows
from turno_lms.lenders import mapping_versions
from turno_lms.warehouse.connection import WarehouseConnection

Turno = Callable[..., str]
OTHER = "UTIB7000100235000001"


@pytest.fixture
def turno(loads: Loads, terminal: None) -> Turno:
    """Run a command against the test's warehouse and bucket; returns its output, and fails unless it ends as expected."""
    from turno_lms.orchestration import file_commands

    def run(app: str, *arguments: Any, code: int = 0) -> str:
        result = CliRunner().invoke(getattr(file_commands, app), [str(argument) for argument in arguments])
        assert result.exit_code == code, result.output
        return " ".join(result.output.replace("│", " ").split())

    return run


def test_files_are_listed_and_shown_with_their_reasons(loads: Loads, turno: Turno) -> None:
    loads.gb(FILE)
    listed = turno("files", "list", "--lender", "gb")
    assert "file_id=1" in listed
    assert "rows_rejected=3 rupees_accepted=5649.00" in listed
    shown = turno("files", "show", KEY)
    assert "disposition=rejected reason_code=bad_date fate=open rows=1 rupees=300.00" in shown
    assert "has no file nothing" in turno("files", "show", "nothing", code=2)


def test_a_replay_is_only_shown_until_it_is_really_wanted(loads: Loads, turno: Turno) -> None:
    loads.gb(FILE)
    new = kinder(loads)
    with loads.conn.transaction():
        mapping_versions.keep(loads.conn, new)
    assert new.mapping_version in turno("files", "mappings", "gb")
    replay = ("files", "replay", "--lender", "gb", "--key", KEY, "--mapping-version", new.mapping_version)
    shown = turno(*replay)
    assert "accepted: 2 rows, 550.00 rupees" in shown
    assert shown.endswith("replay dry_run=true files=1 rows_loaded=2 refused=0")
    assert len(loads.rows(RAW)) == 16
    assert turno(*replay, "--really").endswith("replay dry_run=false files=1 rows_loaded=2 refused=0")
    assert len(loads.rows(RAW)) == 18
    assert "say which files" in turno("files", "replay", "--lender", "gb", code=2)


def test_new_files_are_loaded_at_a_terminal(loads: Loads, turno: Turno) -> None:
    loads.put(KEY, FILE)
    loads.put(f"{GB_PREFIX}empty.csv", b"")
    said = turno("files", "load", "--lender", "gb", "--actor", "Asha", code=1)
    assert "empty.csv is empty (0 bytes)" in said
    assert (
        "state=loaded rows_read=20 rows_accepted=16 rows_filtered=1 rows_duplicate=0 rows_rejected=3" in said
    )
    assert said.endswith("rupees_accepted=5649.00 load files=1 refused=1")
    # nothing is new any more; a key that is named is looked at again
    assert turno("files", "load", "--lender", "gb").endswith(" load files=0 refused=0")
    assert turno("files", "load", "--lender", "gb", "--key", KEY).endswith("load files=1 refused=0")
    assert len(loads.rows(RAW)) == 16
    assert "is no file of gb" in turno(
        "files", "load", "--lender", "gb", "--key", "lenders/axle/a.csv", code=2
    )


def test_rejects_are_listed_corrected_and_discarded(loads: Loads, turno: Turno) -> None:
    loads.gb(FILE)
    assert "reject_id=2 lender=gb file_id=1 row_number=7 reason_code=bad_date" in turno("rejects", "list")
    fix = ("rejects", "fix", 2, "--reason", "mail", "--cell", "Settlement Date=08/01/2026")
    assert turno(*fix).endswith("row 7 of file 1 is loaded: 300.00 rupees")
    assert "was replayed by" in turno(*fix, code=2)
    assert (
        turno("rejects", "discard", 3, 4, "--reason", "withdrawn", "--actor", "asha") == "rejects discarded=2"
    )
    assert turno("rejects", "list") == ""
    assert "fate=discarded fate_by=asha fate_reason=withdrawn" in turno("rejects", "list", "--all")


def test_rejects_go_into_a_spreadsheet_in_which_nothing_runs(
    loads: Loads, turno: Turno, tmp_path: Path
) -> None:
    bad = debit(day="=HYPERLINK(1)", reference="=cmd|' /C calc'!A0")
    fillers = [debit(reference=f"U{number}") for number in range(9)]
    loads.gb(gb_csv(("=1+1", *bad[1:]), *fillers))
    path = tmp_path / "rejects.csv"
    assert turno("rejects", "list", "--csv", path).startswith("rejects written=1")
    with path.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["raw_text"].startswith("'=1+1,")
    assert (row["rupees"], row["reason_code"]) == ("5499.00", "bad_date")


@given(text=st.text(max_size=8))
def test_no_text_reaches_a_spreadsheet_as_a_formula(text: str) -> None:
    shown = harmless(text)
    assert shown in (text, f"'{text}")
    begins = unicodedata.normalize("NFKC", shown).strip()[:1]
    assert begins not in ("=", "+", "-", "@")
    assert shown[:1] not in ("\t", "\r", "\n")


def test_superseded_rows_are_kept_or_withdrawn_by_a_person(loads: Loads, turno: Turno) -> None:
    loads.gb(gb_csv(debit(), debit(umrn=OTHER, reference="T2")))
    loads.gb(gb_csv(debit(umrn="X1", reference="T3")))
    listed = turno("files", "superseded")
    assert "subject=file:gb:nach_response:T1 lender=gb amount=5499.00" in listed
    assert turno("files", "keep", 1, "--row", 5, "--reason", "the bank says so") == "rows kept=1"
    assert turno("files", "withdraw", 1, "--reason", "sent in error") == "rows withdrawn=1"
    assert "no row of file 1 is in question" in turno("files", "keep", 1, "--reason", "again", code=2)
    loads.gb(gb_csv(debit(umrn="X2", reference="T4")))
    states = "select subject, state, detail ->> 'decision' as decision from core.core_recon_exception order by subject"
    assert loads.rows(states) == [
        ("file:gb:nach_response:T1", "resolved", "kept"),
        ("file:gb:nach_response:T2", "resolved", "withdrawn"),
        ("file:gb:nach_response:T3", "open", None),
    ]


def test_a_posted_row_is_not_withdrawn(warehouse: WarehouseConnection, loads: Loads, turno: Turno) -> None:
    from tests.ingestion.test_versions import freeze

    loads.gb(gb_csv(debit()))
    key = freeze(warehouse, "file:gb:nach_response:T1", "GB100234", "posted")
    loads.gb(gb_csv(debit(umrn=OTHER, reference="T2")))
    said = turno("files", "withdraw", 1, "--reason", "sent in error", code=2)
    assert key[:12] in said.replace(" ", "")
    assert turno("files", "keep", 1, "--reason", "reversed in Fineract on 9 January") == "rows kept=1"


def test_a_file_is_handed_in_with_the_person_s_name(loads: Loads, turno: Turno, tmp_path: Any) -> None:
    path = tmp_path / "mail.csv"
    path.write_bytes(gb_csv(debit()))
    assert turno("files", "hand-in", path, "--lender", "gb", "--actor", "Asha").endswith(
        f"{GB_PREFIX}mail.csv"
    )
    from turno_lms.ingestion.files import find_new_files

    (file,) = find_new_files(loads.conn, loads.s3, loads.bucket, loads.lenders["gb"])
    loads.ingest(file)
    assert loads.rows("select handed_in_by, state from raw.raw_s3_file_processing_log") == [
        ("Asha", "loaded")
    ]
    wrong = tmp_path / "mail.xlsx"
    wrong.write_bytes(b"x")
    assert "its names are *.csv" in turno("files", "hand-in", wrong, "--lender", "gb", code=2)


def test_mandates_are_listed_and_looked_up_with_their_history(loads: Loads, turno: Turno) -> None:
    rows = [
        {"umrn": UMRN, "loan_id": "GB100234", "lender": "gb", "valid_from": "2025-01-01"},
        {"umrn": UMRN, "loan_id": "GB100777", "lender": "gb", "valid_from": "2026-01-10"},
        {"umrn": OTHER, "loan_id": "GB100234", "lender": "gb", "valid_from": "2025-06-01"},
    ]
    load_umrn_rows(loads.conn, rows, RUN)
    loads.conn.commit()
    shown = turno("umrn", "show", UMRN.lower())
    assert "loan_id=GB100234 lender=gb valid_from=2025-01-01 valid_to=2026-01-09" in shown
    assert "loan_id=GB100777 lender=gb valid_from=2026-01-10" in shown
    assert turno("umrn", "show", "gb100234").count("umrn=") == 2
    assert turno("umrn", "list", "--on", "2026-01-10").count("umrn=") == 2
    assert "has no mandate or loan X" in turno("umrn", "show", "X", code=1)


def test_conflicting_mandates_are_reported(loads: Loads, turno: Turno) -> None:
    from turno_lms.ingestion.umrn import load_umrn_file

    master = "umrn,loan_id,lender,valid_from,valid_to\n"
    first = f"{UMRN},GB100234,gb,2025-01-01,2025-12-31\n"
    for name, text in (("a", master + first), ("b", master + first.replace("GB100234", "GB100999"))):
        loads.s3.put_object(Bucket=loads.bucket, Key=f"umrn/{name}.csv", Body=text.encode())
        load_umrn_file(loads.conn, loads.s3, loads.bucket, f"umrn/{name}.csv", RUN)
    assert f"{UMRN} stands for loan GB100234 of gb from 2025-01-01" in turno("umrn", "list", "--conflicts")
