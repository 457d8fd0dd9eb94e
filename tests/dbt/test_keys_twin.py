"""The keys exist twice, in Python and in SQL; both are held to tests/vectors/keys.json (worked out with md5sum)."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.project import DbtProject
from turno_lms.domain import keys

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "keys.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS)
def test_python_keys_are_those_of_the_vectors(vector: dict[str, Any]) -> None:
    day = date.fromisoformat(vector["date"])
    source = keys.source_key(vector["lender"], vector["loan_id"], day, vector["amount"])
    assert source == vector["source_key"]
    assert keys.recon_match_key(vector["loan_id"], day, vector["amount"]) == vector["recon_match_key"]
    assert keys.posting_key(source, vector["occurrence"], vector["correction"]) == vector["posting_key"]


def test_dbt_keys_are_those_of_the_vectors(project: DbtProject) -> None:
    values = ", ".join(
        f"($${vector['lender']}$$, $${vector['loan_id']}$$, date '{vector['date']}', {vector['amount']})"
        for vector in VECTORS
    )
    query = (
        "select {{ source_key('lender', 'loan_id', 'day', 'amount') }} as source_key,"  # noqa: S608
        " {{ recon_match_key('loan_id', 'day', 'amount') }} as recon_match_key"
        f" from (values {values}) as vector (lender, loan_id, day, amount)"
    )
    shown = project.dbt("show", "--inline", query, "--limit", "100")
    table = shown.results[0].agate_table
    assert [(row["source_key"], row["recon_match_key"]) for row in table.rows] == [
        (vector["source_key"], vector["recon_match_key"]) for vector in VECTORS
    ]
