"""Every mistake in a mapping is refused with file, line and what to do."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from turno_lms.lenders.registry import MappingError, load_lender, load_lenders

Complaints = Callable[[str, str, str], list[str]]


def line_of(slug: str, text: str) -> int:
    from turno_lms.lenders.registry import mappings_directory

    lines = (mappings_directory() / f"{slug}.yml").read_text(encoding="utf-8").splitlines()
    return next(number for number, line in enumerate(lines, start=1) if text in line)


MISTAKES = {
    "unknown key, with the one it resembles": (
        "gb", "post_from:", "post_form:", "post_from:", "unknown key post_form; did you mean post_from?",
    ),
    "unknown key of a column": (
        "gb", "grouping: indian }", "groupings: indian }", "grouping: indian", "did you mean grouping?",
    ),
    "unknown standard column": ("gb", "      amount: {", "      ammount: {", "amount:", "did you mean amount?"),
    "number in quotes": ("gb", "product_id: 1", 'product_id: "1"', "product_id", "without quotes"),
    "date in quotes": ("gb", "post_from: 2026-01-01", 'post_from: "2026-01-01"', "post_from", "write a date as 2026-01-31"),
    "two formats that read one text as two days": (
        "gb", '["%d/%m/%Y"]', '["%d/%m/%Y", "%Y/%m/%d", "%y/%m/%d", "%d/%m/%y"]', "date:", "together are ambiguous",
    ),
    "month first": ("gb", '["%d/%m/%Y"]', '["%m/%d/%Y"]', "date:", "dates in India are day first"),
    "date without a year": ("gb", '["%d/%m/%Y"]', '["%d/%m"]', "date:", "exactly one year"),
    "unknown directive": ("gb", '["%d/%m/%Y"]', '["%j/%m/%Y"]', "date:", "%j is not known"),
    "expression that calls": ("axle", "charge: fee + tax", "charge: __import__('os').getcwd()", "charge:", "is not allowed"),
    "expression that divides": ("axle", "charge: fee + tax", "charge: fee / tax", "charge:", "is not allowed"),
    "expression on an unknown name": ("axle", "charge: fee + tax", "charge: fee + gst", "charge:", "'gst' is no amount column"),
    "expression on a text column": ("axle", "charge: fee + tax", "charge: fee + currency", "charge:", "'currency' is no amount"),
    "filter on an unknown column": ("gb", "column: status", "column: state", "not_collected:", "'state' is no column"),
    "amount filter that is no amount": ("axle", '"0.00"', '"nil"', "mandate_registration:", "'nil' is not an amount"),
    "type that does not fit the column": (
        "gb", "umrn: { type: umrn", "umrn: { type: text", "umrn:", "must be of type umrn, not text",
    ),
    "unknown type": ("gb", "type: umrn", "type: mandate", "umrn:", "Input tag"),
    "loan and mandate both mapped": (
        "gb", "      umrn: {", "      loan_id: { type: loan_id, heading: Loan }\n      umrn: {", "columns:", "exactly one of loan_id and umrn",
    ),
    "one status text for two statuses": ("gb", "[Extended]", "[ SUCCESS ]", "values:", "'success' is given more than once"),
    "channel named by no stream": ("gb", "    evidence: [razorpay]\n", "", "streams:", "no stream names the channel razorpay"),
    "channel that is not described": ("gb", "[razorpay]", "[cashfree]", "nach_debits:", "channel cashfree is not described"),
    "channel named twice": ("gb", "[razorpay]", "[razorpay, razorpay]", "nach_debits:", "razorpay is named before"),
    "prefix of our own": ("gb", "lenders/gb/nach_response/", "archive/gb/", "prefix:", "hold our own objects"),
    "schedule that is no cron": ("gb", '"30 8 * * *"', "every day", "schedule:", "is no cron expression"),
    "reserved slug": ("gb", "lender: gb", "lender: default", "lender: gb", "is reserved"),
    "slug that would inject SQL": ("gb", "lender: gb", 'lender: "gb; drop table x"', "lender: gb", "lower-case letters"),
    "slug unlike the file's name": ("gb", "lender: gb", "lender: gbx", "lender: gb", "must be named gbx.yml"),
    "pattern that is no expression": ("gb", r"GB\d{6}", r'"GB[0-9"', "loan_id_pattern", "is no regular expression"),
    "pattern with look-around": ("gb", r"GB\d{6}", r"'(?=G)GB\d{6}'", "loan_id_pattern", "differ between our engines"),
    "percentage over a hundred": ("gb", "reject_percent: 20", "reject_percent: 120", "reject_percent", "less than or equal to 100"),
    "no post_from": ("ugro", "post_from: 2026-01-01\n", "", "# yaml-language-server", "post_from is missing: add it"),
    "an amount that may be blank": (
        "ugro", "grouping: indian }", "grouping: indian, required: false }", "amount:", "a blank amount is not zero",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_with_line_and_hint(name: str, complaints: Complaints) -> None:
    slug, old, new, place, message = MISTAKES[name]
    said = complaints(slug, old, new)
    assert any(message in line for line in said), said
    assert any(line.startswith(f"{slug}.yml:{line_of(slug, place)}: ") for line in said if message in line), (
        said
    )


def test_repeated_keys_are_refused(complaints: Complaints) -> None:
    (said,) = complaints("gb", "name: GB Finance\n", "name: GB Finance\nname: Other\n")
    assert re.fullmatch(r"gb\.yml:6: key name is repeated; the first is on line 5", said)


def test_anchors_are_refused(complaints: Complaints) -> None:
    (said,) = complaints("gb", "fineract:\n", "x: &a [1]\ny: *a\nfineract:\n")
    assert "anchors and aliases are not used" in said


def test_text_that_is_no_yaml_is_refused_with_its_line(complaints: Complaints) -> None:
    said = complaints("gb", "fineract:\n", "fineract: [\n")
    assert re.match(r"gb\.yml:\d+: is not valid YAML", said[0])


def test_two_lenders_with_overlapping_prefixes_are_refused(complaints: Complaints) -> None:
    (said,) = complaints("ugro", "lenders/ugro/repayment_statement/", "lenders/gb/")
    assert said.startswith(
        f"ugro.yml:{line_of('ugro', 'prefix:')}: prefix lenders/gb/ overlaps lenders/gb/nach_response/ of gb"
    )


def test_two_lenders_with_one_product_are_refused(complaints: Complaints) -> None:
    (said,) = complaints("ugro", "product_id: 2", "product_id: 1")
    assert said == f"ugro.yml:{line_of('ugro', 'product_id')}: product 1 belongs to lender gb already"


def test_problems_of_several_files_are_told_together(mappings: Path) -> None:
    for slug in ("gb", "ugro"):
        path = mappings / f"{slug}.yml"
        path.write_text(path.read_text(encoding="utf-8").replace("name:", "nmae:", 1), encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_lenders(mappings)
    assert {problem.path.name for problem in caught.value.problems} == {"gb.yml", "ugro.yml"}


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "gb.yml").write_text("", encoding="utf-8")
    with pytest.raises(MappingError, match=r"gb\.yml:1: is empty"):
        load_lender(tmp_path / "gb.yml")


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="no such directory"):
        load_lenders(tmp_path / "nowhere")
