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
    "payment links at a gateway that posts nothing": (
        "axle", "  gateway: razorpay", "  gateway: cashfree", "gateway: razorpay", "no stream is posted by cashfree",
    ),
    "payment links whose loan no rule would find": (
        "axle", "order.entity.receipt, separator: _, part: 1", "order.entity.receipt, separator: _, part: 2", "gateway: razorpay",
        "reads the loan off a link",
    ),
    "payment link's amount that is none": ("axle", '"500.00"', '"5 hundred"', "partial_payment:", "is not an amount"),
    "payment link's amount of nothing": ("axle", '"500.00"', '"0.00"', "partial_payment:", "must be more than nothing"),
    "a borrower told twice in one way": ("axle", "[sms, email]", "[sms, sms]", "payment_links:", "notify names a way twice"),
    "prefix of our own": ("gb", "lenders/gb/nach_response/", "archive/gb/", "prefix:", "hold our own objects"),
    "schedule that is no cron": ("gb", '"30 8 * * *"', "every day", "schedule:", "is no cron expression"),
    "reserved slug": ("gb", "lender: gb", "lender: default", "lender: gb", "is reserved"),
    "slug that would inject SQL": ("gb", "lender: gb", 'lender: "gb; drop table x"', "lender: gb", "lower-case letters"),
    "slug unlike the file's name": ("gb", "lender: gb", "lender: gbx", "lender: gb", "must be named gbx.yml"),
    "pattern that is no expression": ("gb", r"GB\d{6}", r'"GB[0-9"', "loan_id_pattern", "is no regular expression"),
    "pattern with look-around": ("gb", r"GB\d{6}", r"'(?=G)GB\d{6}'", "loan_id_pattern", "differ between our engines"),
    "percentage over a hundred": ("gb", "reject_percent: 20", "reject_percent: 120", "reject_percent", "less than or equal to 100"),
    "no post_from": ("ugro", "post_from: 2026-01-01\n", "", "# yaml-language-server", "post_from is missing: add it"),
    "what is not decided yet": ("gb", "product_id: 1", "product_id: DECIDE", "product_id", "fineract.product_id is not decided yet"),
    "a key that is not decided yet": ("gb", "          collected:", "          DECIDE:", "collected:", "is not decided yet"),
    "two sources": ("gb", "heading: UMRN }", "heading: UMRN, position: 2 }", "umrn: {", "by exactly one of heading, position"),
    "no source": ("gb", "umrn: { type: umrn, heading: UMRN }", "umrn: { type: umrn }", "umrn: {", "not nothing"),
    "the first of what is no helper": (
        "gb", "note: { type: text, heading: Return Reason", "note: { type: text, first_of: [reason]", "note:", "'reason' is no helper of type text",
    ),
    "the first of what always holds something": (
        "axle", "note: { type: text, heading: entity_description", "note: { type: text, first_of: [currency, currency]", "note:", "'currency' is required, so",
    ),
    "a reference that is constant": (
        "axle", "payment_id: { type: text, heading: entity_id }", "payment_id: { type: text, constant: P1 }", "payment_id:", "identifies no payment",
    ),
    "a constant that is no amount": (
        "axle", "fee: { type: amount, heading: fee (exclusive tax)", 'fee: { type: amount, constant: "2%"', "fee: {", "'2%' is not an amount",
    ),
    "an extraction with look-around": (
        "gb", "heading: Return Reason,", "heading: Return Reason, extract: '(?<=x)y',", "note:", "differ between our engines",
    ),
    "an extraction that finds nothing at all": (
        "gb", "heading: Return Reason,", "heading: Return Reason, extract: 'y*',", "note:", "ask for at least one character",
    ),
    "an extraction of two parts": (
        "gb", "heading: Return Reason,", "heading: Return Reason, extract: '(a)(b)',", "note:", "has 2 groups",
    ),
    "a pattern that would blow up": (
        "gb", "heading: Return Reason,", "heading: Return Reason, extract: '(?:a{9}){9}',", "note:", "write the group out",
    ),
    "a count beyond the cap": (
        "gb", "heading: Return Reason,", "heading: Return Reason, extract: 'a{65}',", "note:", "a count goes up to 64",
    ),
    "Cr that means both": (
        "gb", "grouping: indian }", "grouping: indian, suffixes: { positive: [Cr], negative: [CR] } }", "amount:", "'cr' is given more than once",
    ),
    "a text that is renamed to two": (
        "gb", "heading: Return Reason,", "heading: Return Reason, values: { a: [x], b: [X] },", "note:", "'x' is given more than once",
    ),
    "hours of twelve without AM": ("gb", '["%d/%m/%Y"]', '["%d/%m/%Y %I:%M"]', "date:", "(%p) belong together"),
    "a fraction that is no fraction": ("gb", '["%d/%m/%Y"]', '["%d/%m/%Y %H:%M:%f"]', "date:", "stands behind a dot"),
    "ten digits that are a date and a time": ("gb", '["%d/%m/%Y"]', '["%d%m%y%H%M", epoch_seconds]', "date:", "both are ten digits"),
    "day first against month first": (
        "gb", 'formats: ["%d/%m/%Y"]', 'formats: ["%d/%m/%Y"], month_first: true', "date:", "puts the day first, against month_first",
    ),
    "a date that may be blank": ("gb", 'formats: ["%d/%m/%Y"]', 'formats: ["%d/%m/%Y"], required: false', "date:", "belongs nowhere"),
    "a filter that keeps and drops": (
        "axle", 'drop: ["0.00"]', 'drop: ["0.00"], keep: ["1.00"]', "mandate_registration:", "say either keep or drop",
    ),
    "a filter with two tests": (
        "axle", 'drop: ["0.00"]', 'drop: { below: "1.00", above: "2.00" }', "mandate_registration:", "say exactly one of below",
    ),
    "a pattern for an amount": ("axle", 'drop: ["0.00"]', 'drop: { matches: "^0" }', "mandate_registration:", "is compared by one of below"),
    "a comparison of texts": ("gb", "keep: [collected]", 'keep: { above: "a" }', "not_collected:", "is compared by matches, or a list"),
    "reversals that nobody would hear of": (
        "ugro", "keep: [collected, reversed]", "keep: [collected]", "not_collected:", "nobody would hear of money that went back",
    ),
    "reversals dropped by a pattern": (
        "ugro", "keep: [collected, reversed]", 'drop: { matches: "^rev" }', "not_collected:", "nobody would hear of money that went back",
    ),
    "a date filter that is no date": (
        "gb", "filters:", 'filters:\n      early: { column: date, drop: { below: "1/1/2026" } }', "not_collected:", "'1/1/2026' is no date such as",
    ),
    "a layout rule that says nothing": ("gb", "first_cell_starts_with: [Total, Grand Total]", "first_cell_matches: ''", "first_cell_starts_with: [Total", "at least 1 character"),
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
