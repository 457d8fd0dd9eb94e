"""What the preview says is what a load does."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from local_stack.sample_data import catalogue
from local_stack.sample_data.samples import SampleFile
from tests.ingestion.files import RUN, UMRN, Loads, csv_text, debit, gb_csv, write
from turno_lms.domain.money import canonical_amount, paise_to_rupees
from turno_lms.ingestion.commands import preview_sample
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.preview import Fate, preview
from turno_lms.ingestion.umrn import load_umrn_file
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import LenderRegistry, load_lenders, mappings_directory
from turno_lms.warehouse.connection import WarehouseConnection

app = typer.Typer()
app.command()(preview_sample)
runner = CliRunner()
GOLDEN = Path(__file__).parents[1] / "lenders" / "golden"

ACCEPTED = """
select _row_number as row, 'accepted' as fate, null as reason, loan_id, _umrn as umrn, amount, date, status, charge, note,
    payment_id, sub_reference_id
from raw.raw_payment_file
"""
SET_ASIDE = """
select row_number as row, disposition as fate, reason_code as reason, rule, field, message, amount_paise as amount, raw_text
from raw.raw_rejected_records where file_id = (select max(file_id) from raw.raw_s3_file_processing_log)
"""
SAMPLES = [sample for delivery in catalogue.deliveries() for sample in delivery]


def loaded(loads: Loads) -> list[dict[str, Any]]:
    """The fates of the rows of the only lender file in the warehouse, in the words of the preview."""
    with loads.conn.transaction():
        accepted = loads.conn.execute(ACCEPTED).fetchall()
        aside = loads.conn.execute(SET_ASIDE).fetchall()
    for row in aside:
        row["amount"] = None if row["amount"] is None else canonical_amount(paise_to_rupees(row["amount"]))
    return sorted([*accepted, *aside], key=lambda row: row["row"])


def kept_of(rows: list[Fate]) -> list[Fate]:
    """A preview's rows without what the warehouse does not keep of a row that is set aside: its loan and date."""
    unkept = ("loan_id", "date")
    return [
        row if row["reason"] is None else {key: value for key, value in row.items() if key not in unkept}
        for row in rows
    ]


@pytest.mark.parametrize("sample", SAMPLES, ids=[sample.key.split("/")[-1] for sample in SAMPLES])
def test_the_fates_of_a_preview_are_those_of_a_load_into_an_empty_warehouse(
    loads: Loads, tmp_path: Path, sample: SampleFile
) -> None:
    master = catalogue.umrn_master()
    loads.s3.put_object(Bucket=loads.bucket, Key=master.key, Body=master.body)
    load_umrn_file(loads.conn, loads.s3, loads.bucket, master.key, RUN)
    file = loads.put(sample.key, sample.body)
    result = preview(
        loads.lenders[file.lender],
        str(file.kind),
        write(tmp_path, "sample", sample.body),
        write(tmp_path, "umrn.csv", master.body),
    )
    try:
        report = loads.ingest(file)
    except FileRefusedError as refusal:
        assert result.summary["error_code"] == refusal.code
        state = "halted" if refusal.code == "too_many_rejects" else "refused"
        assert result.summary["state"] == state
        kept = [row for row in kept_of(result.rows) if row["fate"] != "accepted"]
        assert loaded(loads) == kept
        return
    assert loaded(loads) == kept_of(result.rows)
    assert result.summary["state"] == report.state
    assert [result.summary[f"rows_{part}"] for part in ("read", "accepted", "filtered", "duplicate", "rejected", "layout")] == [
        *loads.counts(report), report.rows_layout,
    ]  # fmt: skip


SHIPPED = {slug: lender for slug, lender in load_lenders().items() if slug not in ("gb", "ugro", "axle")}


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_shipped_lenders_sample_is_loaded_as_it_is_previewed(
    loads: Loads, warehouse: WarehouseConnection, slug: str
) -> None:
    lender = SHIPPED[slug]
    apply_lenders(warehouse, {slug: lender})
    warehouse.commit()
    ((kind, spec),) = lender.files.items()
    folder = GOLDEN / slug
    sample = folder / yaml.safe_load((folder / "case.yml").read_text(encoding="utf-8"))["sample"]
    patient = replace(loads, lenders={slug: lender})
    patient.ingest(patient.put(f"{spec.s3.prefix}{sample.name}", sample.read_bytes()))
    assert loaded(loads) == kept_of(preview(lender, kind, sample).rows)


@dataclass(frozen=True)
class Output:
    """What the command printed."""

    exit_code: int
    lines: list[dict[str, Any]]


def run(sample: Path, *options: str) -> Output:
    result = runner.invoke(
        app, ["--mapping", str(mappings_directory() / "gb.yml"), "--json", *options, str(sample)]
    )
    return Output(result.exit_code, [json.loads(line) for line in result.stdout.splitlines()])


def test_the_command_prints_one_object_a_row_and_the_summary_last(tmp_path: Path) -> None:
    output = run(write(tmp_path, "a.csv", gb_csv(debit(), debit(status="Returned", reference="T2"))))
    assert output.exit_code == 0
    assert output.lines[0] == {
        "row": 5, "fate": "accepted", "reason": None, "loan_id": None, "umrn": UMRN, "amount": "5499.00", "date": "2026-01-05",
        "status": "collected", "charge": None, "note": None, "payment_id": "T1", "sub_reference_id": None,
    }  # fmt: skip
    assert (output.lines[1]["row"], output.lines[1]["fate"], output.lines[1]["reason"]) == (
        6,
        "filtered",
        "filtered_by_rule",
    )
    summary = output.lines[-1]
    assert (summary["state"], summary["rows_read"], summary["rupees_read"]) == ("loaded", 2, "10998.00")
    assert summary["unchecked"] == [
        "references of earlier files", "headings of the last file", "loans of UMRNs",
    ]  # fmt: skip


def test_every_row_says_its_loan_amount_and_date_as_far_as_they_can_be_read(tmp_path: Path) -> None:
    output = run(write(tmp_path, "a.csv", gb_csv(debit(), debit(status="Returned"), debit(day="8 January"))))
    assert [(line["amount"], line["date"]) for line in output.lines[:-1]] == [
        ("5499.00", "2026-01-05"), ("5499.00", "2026-01-05"), ("5499.00", None),
    ]  # fmt: skip
    assert all(
        {"row", "fate", "reason", "loan_id", "amount", "date"} <= line.keys() for line in output.lines[:-1]
    )


def test_a_sample_with_too_many_rupees_rejected_would_be_halted_too(
    lenders: LenderRegistry, tmp_path: Path
) -> None:
    """One of ten rows is rejected, 10 percent below the limit of 20; but its 5,499 rupees are above one of 5,000."""
    rows = [debit(reference=f"T{number}") for number in range(9)]
    sample = write(tmp_path, "a.csv", gb_csv(*rows, debit(day="8 January", reference="T9")))
    kind = lenders["gb"].files["nach_response"]
    for limit, state in ((5000, "halted"), (5499, "loaded")):
        thresholds = kind.thresholds.model_copy(update={"reject_rupees": limit})
        files = {"nach_response": kind.model_copy(update={"thresholds": thresholds})}
        result = preview(lenders["gb"].model_copy(update={"files": files}), "nach_response", sample)
        assert result.summary["state"] == state


def test_with_a_master_the_loan_of_the_payment_date_is_shown(tmp_path: Path) -> None:
    rows = [
        ("UMRN", "Loan Id", "Lender", "Valid From"),
        (UMRN, "GB100234", "gb", "01/12/2025"),
        (UMRN, "GB100777", "gb", "06/01/2026"),
    ]
    master = write(tmp_path, "master.csv", csv_text(rows).encode())
    sample = write(tmp_path, "a.csv", gb_csv(debit(), debit(day="06/01/2026", reference="T2")))
    output = run(sample, "--umrn-master", str(master))
    assert [line["loan_id"] for line in output.lines[:-1]] == ["GB100234", "GB100777"]
    assert output.lines[-1]["unchecked"] == ["references of earlier files", "headings of the last file"]


def test_a_refused_sample_says_why_and_fails(tmp_path: Path) -> None:
    output = run(write(tmp_path, "a.csv", b""))
    assert (output.exit_code, output.lines[-1]["state"], output.lines[-1]["error_code"]) == (
        1,
        "refused",
        "empty_file",
    )


def test_a_sample_that_would_be_halted_shows_its_rows_and_fails(tmp_path: Path) -> None:
    output = run(write(tmp_path, "a.csv", gb_csv(debit(), debit(day="8 January", reference="T2"))))
    assert (output.exit_code, len(output.lines), output.lines[-1]["state"]) == (1, 3, "halted")


def test_for_a_person_the_rows_are_lines_of_text(tmp_path: Path) -> None:
    sample = write(tmp_path, "a.csv", gb_csv(debit(), debit(status="Returned", reference="T2")))
    result = runner.invoke(app, ["--mapping", str(mappings_directory() / "gb.yml"), str(sample)])
    first, second, last = result.stdout.splitlines()
    assert first.split() == ["5", "accepted", "2026-01-05", "5499.00", "UMRN", UMRN]
    assert "filtered_by_rule: Status 'Returned' is filtered by filters.not_collected" in second
    assert last.startswith("preview sample=a.csv lender=gb kind=nach_response")


def test_an_unknown_kind_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    sample = write(tmp_path, "a.csv", gb_csv(debit()))
    result = runner.invoke(
        app, ["--mapping", str(mappings_directory() / "gb.yml"), "--kind", "x", str(sample)]
    )
    assert result.exit_code == 2
    assert "nach_response" in result.stderr
