"""The JSON Schema beside the mappings is that of the types, and an editor with it accepts what is shipped."""

from typing import Any

import jsonschema
import pytest
import yaml

from turno_lms.lenders.json_schema import MODELINE, SCHEMA_FILE, json_schema, schema_text
from turno_lms.lenders.registry import mappings_directory

MAPPINGS = sorted(mappings_directory().glob("*.yml"))


def problems(mapping: Any) -> list[str]:
    """What the schema says of a mapping; dates, which YAML reads as such, as the text they are in the file."""
    plain = {**mapping, "post_from": str(mapping["post_from"])}
    validator = jsonschema.Draft202012Validator(json_schema())
    return [error.message for error in validator.iter_errors(plain)]


def test_the_shipped_schema_is_that_of_the_types() -> None:
    """If this fails: turno lenders schema > include/lender_mappings/lender.schema.json"""
    assert (mappings_directory() / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", MAPPINGS, ids=[path.stem for path in MAPPINGS])
def test_a_shipped_mapping_names_the_schema_and_keeps_to_it(path: Any) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"{MODELINE}\n")
    assert problems(yaml.safe_load(text)) == []


@pytest.mark.parametrize(
    "change",
    [
        {"nmae": "x"},
        {"name": 1},
        {"fineract": {"product_id": "1", "payment_type_id": 1}},
        {"gateways": {"paypal": {"loan_from": [{"field": "a", "resolves": "loan_id"}]}}},
    ],
    ids=["unknown key", "number for a text", "text for a number", "unknown gateway"],
)
def test_an_editor_sees_a_mistake(change: dict[str, Any]) -> None:
    mapping = yaml.safe_load((mappings_directory() / "gb.yml").read_text(encoding="utf-8"))
    assert problems(mapping | change)


def test_an_editor_knows_which_type_a_standard_column_has() -> None:
    mapping = yaml.safe_load((mappings_directory() / "gb.yml").read_text(encoding="utf-8"))
    mapping["files"]["nach_response"]["columns"]["amount"]["type"] = "text"
    assert problems(mapping)
