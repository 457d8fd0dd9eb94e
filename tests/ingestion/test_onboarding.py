"""From a sample to loaded money with the commands and one YAML, and no code: the walk of docs/onboarding-a-lender.md."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.ingestion.files import BUCKET, write
from turno_lms.cli import lenders_app
from turno_lms.orchestration import file_commands
from turno_lms.warehouse.connection import WarehouseConnection

SAMPLE = """\
PALAR EV FINANCE;;;;
Agreement No;Value Date;Collected (Rs.);Outcome;Receipt
PLR150101;05/01/2026;1,05,499.00;Paid;R-1
plr150102;25/01/2026;2,750.50;Paid;R-2
PLR150103;25/01/2026;1,200.00;Bounced;R-3
PLR150104;31/02/2026;1,300.00;Paid;R-4
PLR150105;26/01/2026;800.00;Paid;R-5
Total;;1,11,549.50;;
"""
DECISIONS = {
    "product_id: DECIDE": "product_id: 15",
    "payment_type_id: DECIDE": "payment_type_id: 1",
    "post_from: DECIDE": "post_from: 2026-01-01",
    "  DECIDE: # decide: what money this is": "  branch_collections: #",
    "policy: DECIDE": "policy: at_once",
    'DECIDE: ["bounced", "paid"]': "{ collected: [paid], failed: [bounced] }",
    "payment_id_is: DECIDE": "payment_id_is: own",
}


LANDED = "select loan_id, amount, date, status, payment_id from raw.raw_palar order by _row_number"


@pytest.mark.usefixtures("terminal")
def test_a_sample_becomes_loaded_money(
    warehouse: WarehouseConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = write(tmp_path, "PALAR_0126.csv", SAMPLE.encode())
    mappings, cases = tmp_path / "mappings", tmp_path / "golden"
    mappings.mkdir()
    monkeypatch.setenv("TURNO_LENDER_MAPPINGS", str(mappings))
    monkeypatch.setenv("TURNO_BUCKET", BUCKET)

    text = lenders(
        "draft", "--lender", "palar", "--name", "Palar EV Finance", "--kind", "collections", sample
    )
    for asked, answer in DECISIONS.items():
        assert asked in text, text
        text = text.replace(asked, answer)
    decided = write(tmp_path, "palar.yml", text.encode())
    lenders("new", "palar", "--sample", sample, "--from-draft", decided, "--cases", cases)
    assert lenders("check").startswith("palar: Palar EV Finance, mapping")
    previewed = lenders("preview", "--mapping", mappings / "palar.yml", "--json", sample)
    *fates, summary = [json.loads(line) for line in previewed.splitlines()]
    assert [(row["row"], row["fate"], row["reason"]) for row in fates] == [
        (3, "accepted", None), (4, "accepted", None), (5, "filtered", "filtered_by_rule"), (6, "rejected", "bad_date"),
        (7, "accepted", None),
    ]  # fmt: skip
    assert summary["rupees_read"] == "111549.50"  # the sample's own total

    assert lenders("apply").splitlines()[-1].startswith("lenders applied=1 ")
    assert files("hand-in", sample, "--lender", "palar").endswith("lenders/palar/collections/PALAR_0126.csv")
    loaded = files("load", "--lender", "palar")
    # 105499.00 + 2750.50 + 800.00
    assert (
        "rows_read=5  rows_accepted=3  rows_filtered=1  rows_duplicate=0  rows_rejected=1  rupees_accepted=109049.50"
        in loaded
    )
    assert [tuple(row.values()) for row in warehouse.execute(LANDED)] == [
        ("PLR150101", "105499.00", "2026-01-05", "collected", "R-1"),
        ("PLR150102", "2750.50", "2026-01-25", "collected", "R-2"),
        ("PLR150105", "800.00", "2026-01-26", "collected", "R-5"),
    ]


def lenders(*words: object) -> str:
    return _ran(CliRunner().invoke(lenders_app(), [str(word) for word in words]))


def files(*words: object) -> str:
    return _ran(CliRunner().invoke(file_commands.files, [str(word) for word in words])).strip()


def _ran(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout
