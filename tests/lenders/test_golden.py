"""Every shipped lender has a sample, and the fates of its rows are those somebody has typed by hand.

tests/lenders/golden/<slug> holds case.yml (kind of file, name of the sample, perhaps a UMRN master), the sample and expected.jsonl:
one JSON object for every row, in their order, with the keys that matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lenders.fates_page import page
from turno_lms.domain.states import FileState
from turno_lms.ingestion.preview import preview
from turno_lms.ingestion.scaffold import CASE_FILE, EXPECTED_FILE, TO_TYPE
from turno_lms.lenders.registry import load_lenders

GOLDEN = Path(__file__).parent / "golden"
LENDERS = load_lenders()


def expected_fates(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / EXPECTED_FILE).read_text(encoding="utf-8").splitlines()
    fates: list[dict[str, Any]] = [json.loads(line) for line in lines]
    untyped = [fate["row"] for fate in fates if TO_TYPE in fate.values()]
    assert not untyped, (
        f"type the fates of rows {untyped} in {folder / EXPECTED_FILE}: read them off the sample by hand"
    )
    return fates


def test_every_shipped_lender_has_its_sample() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(LENDERS)


@pytest.mark.parametrize("slug", sorted(LENDERS))
def test_the_fates_of_a_sample_are_those_typed_by_hand(slug: str) -> None:
    folder = GOLDEN / slug
    case = yaml.safe_load((folder / CASE_FILE).read_text(encoding="utf-8"))
    master = case.get("umrn_master")
    result = preview(
        LENDERS[slug], case["kind"], folder / case["sample"], folder / master if master else None
    )
    assert result.summary["state"] == FileState.LOADED, result.summary
    wanted = expected_fates(folder)
    got = [{key: row.get(key) for key in fate} for row, fate in zip(result.rows, wanted, strict=False)]
    assert got == wanted
    assert [row["row"] for row in result.rows] == [fate["row"] for fate in wanted]


def test_the_page_of_messy_files_shows_what_becomes_of_the_samples() -> None:
    """If this fails: python -m tests.lenders.fates_page > docs/messy-files.md"""
    assert (Path(__file__).parents[2] / "docs" / "messy-files.md").read_text(encoding="utf-8") == page()
