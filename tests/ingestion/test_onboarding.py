"""From a sample to loaded money with the commands and one YAML, and no code: the walk of docs/onboarding-a-lender.md."""

import json
from dataclasses import replace
from pathlib import Path

from typer.testing import CliRunner

from tests.ingestion.files import Loads, write
from turno_lms.cli import lenders_app
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
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


def test_a_sample_becomes_loaded_money(loads: Loads, warehouse: WarehouseConnection, tmp_path: Path) -> None:
    sample = write(tmp_path, "PALAR_0126.csv", SAMPLE.encode())
    mappings, cases = tmp_path / "mappings", tmp_path / "golden"
    mappings.mkdir()

    def turno(*words: str) -> str:
        result = CliRunner().invoke(lenders_app(), words)
        assert result.exit_code == 0, result.output
        return result.stdout

    text = turno(
        "draft", "--lender", "palar", "--name", "Palar EV Finance", "--kind", "collections", str(sample)
    )
    for asked, answer in DECISIONS.items():
        assert asked in text, text
        text = text.replace(asked, answer)
    decided = write(tmp_path, "palar.yml", text.encode())
    turno(
        "new",
        "palar",
        "--sample",
        str(sample),
        "--from-draft",
        str(decided),
        "--mappings",
        str(mappings),
        "--cases",
        str(cases),
    )
    assert turno("check", "--mappings", str(mappings)).startswith("palar: Palar EV Finance, mapping")
    previewed = turno("preview", "--mapping", str(mappings / "palar.yml"), "--json", str(sample))
    *fates, summary = [json.loads(line) for line in previewed.splitlines()]
    assert [(row["row"], row["fate"], row["reason"]) for row in fates] == [
        (3, "accepted", None), (4, "accepted", None), (5, "filtered", "filtered_by_rule"), (6, "rejected", "bad_date"),
        (7, "accepted", None),
    ]  # fmt: skip
    assert summary["rupees_read"] == "111549.50"  # the sample's own total

    registry = load_lenders(mappings)
    apply_lenders(warehouse, registry)
    warehouse.commit()
    palar = replace(loads, lenders=registry)
    report = palar.ingest(palar.put("lenders/palar/collections/PALAR_0126.csv", SAMPLE.encode()))
    assert palar.counts(report) == (5, 3, 1, 0, 1)
    landed = "select loan_id, amount, date, status, payment_id from raw.raw_payment_file where lender = %s order by _row_number"
    assert palar.rows(landed, "palar") == [
        ("PLR150101", "105499.00", "2026-01-05", "collected", "R-1"),
        ("PLR150102", "2750.50", "2026-01-25", "collected", "R-2"),
        ("PLR150105", "800.00", "2026-01-26", "collected", "R-5"),
    ]
