"""A draft suggests what a sample shows, chooses nothing that it leaves open, and passes no check before a person has decided."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from tests.ingestion.files import csv_text, gb_csv, write
from tests.lenders.test_golden import GOLDEN, expected_fates
from turno_lms.cli import lenders_app
from turno_lms.ingestion.drafting import draft
from turno_lms.lenders.documents import UNDECIDED
from turno_lms.lenders.registry import MappingError, load_lender

runner = CliRunner()
HEADINGS = ("Loan No", "Paid On", "Amount", "Mode", "UTR")
DECISIONS = {
    f"product_id: {UNDECIDED}": "product_id: 900",
    f"payment_type_id: {UNDECIDED}": "payment_type_id: 1",
    f"post_from: {UNDECIDED}": "post_from: 2026-01-01",
    f"  {UNDECIDED}: # decide: what money": "  bank_transfers: # what money",
    f"policy: {UNDECIDED}": "policy: at_once",
    f"payment_id_is: {UNDECIDED}": "payment_id_is: bank_reference",
}
"""What a person settles in every draft."""


def rows(*days: str, amounts: tuple[str, ...] = ("5499.00", "2750.50", "1200")) -> list[tuple[str, ...]]:
    """Payments on the given days."""
    return [
        (f"SMP{100234 + number}", day, amounts[number % len(amounts)], "NEFT", f"HDFCN2601050000{number}")
        for number, day in enumerate(days)
    ]


def drafted(folder: Path, *lines: tuple[str, ...], name: str = "sample.csv") -> str:
    return draft(write(folder, name, csv_text([HEADINGS, *lines]).encode()), "sample")


def line_with(text: str, start: str) -> str:
    (line,) = [line.strip() for line in text.splitlines() if line.strip().startswith(start)]
    return line


def decide(text: str, decisions: dict[str, str]) -> str:
    for asked, answer in decisions.items():
        assert asked in text, asked
        text = text.replace(asked, answer)
    return text


# fixed-width text has no headings to draft from
@pytest.mark.parametrize("slug", sorted(path.name for path in GOLDEN.iterdir() if path.name != "sundarban"))
def test_a_draft_never_passes_the_check_by_itself(slug: str, tmp_path: Path) -> None:
    case = yaml.safe_load((GOLDEN / slug / "case.yml").read_text(encoding="utf-8"))
    mapping = tmp_path / f"{slug}.yml"
    mapping.write_text(draft(GOLDEN / slug / case["sample"], slug), encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_lender(mapping)
    assert any("fineract.product_id is not decided yet" in str(problem) for problem in caught.value.problems)
    assert all("is not decided yet" in str(problem) for problem in caught.value.problems)


def test_what_the_sample_shows_is_suggested_with_what_speaks_for_it(tmp_path: Path) -> None:
    text = drafted(tmp_path, *rows("25/01/2026", "05/01/2026", "06/01/2026"))
    assert (
        line_with(text, "loan_id_pattern:") == r'loan_id_pattern: SMP\d{6} # suggested: the form of "Loan No"'
    )
    assert line_with(text, "formats:") == 'formats: ["%d/%m/%Y"] # suggested: they read the values'
    assert line_with(text, 'heading: "Amount"').startswith(
        'heading: "Amount" # suggested: 3 values, such as 5499.00'
    )
    assert '"UTR" # suggested' in text
    assert '# not mapped: "Mode", such as NEFT' in text


@pytest.mark.parametrize(
    ("days", "line"),
    [
        (("05/01/2026", "06/01/2026"), f"formats: [{UNDECIDED}] # decide: %d/%m/%Y or %m/%d/%Y (with month_first: true)?"),
        (("05-01-26", "12-12-26"), f"formats: [{UNDECIDED}] # decide: %d-%m-%y or %m-%d-%y (with month_first: true)?"),
        (("13/01/2026", "06/01/2026"), 'formats: ["%d/%m/%Y"] # suggested'),
        (("01/13/2026", "01/06/2026"), 'formats: ["%m/%d/%Y"]'),
        (("2026-01-05", "2026-01-06"), 'formats: ["%Y-%m-%d"] # suggested'),
        (("05-Jan-2026", "06-Jan-2026"), 'formats: ["%d-%b-%Y"] # suggested'),
    ],
)  # fmt: skip
def test_which_of_day_and_month_comes_first_is_asked_unless_the_sample_tells(
    tmp_path: Path, days: tuple[str, ...], line: str
) -> None:
    text = drafted(tmp_path, *rows(*days))
    assert line_with(text, "formats:").startswith(line)
    assert (f"month_first: {UNDECIDED}" in text) is (days[0] == "01/13/2026")


@pytest.mark.parametrize(
    ("amounts", "line"),
    [
        (("1,23,456.00", "5,499.00"), "grouping: indian # suggested"),
        (("123,456.00", "5,499.00"), "grouping: western # suggested"),
        (("5,499.00", "6,499.00"), f"grouping: {UNDECIDED} # decide: indian"),
    ],
)
def test_the_grouping_of_amounts_is_asked_unless_the_sample_tells(
    tmp_path: Path, amounts: tuple[str, ...], line: str
) -> None:
    text = drafted(tmp_path, *rows("25/01/2026", "26/01/2026", amounts=amounts))
    assert line_with(text, "grouping:").startswith(line)


def test_the_meaning_of_cr_and_dr_is_asked(tmp_path: Path) -> None:
    text = drafted(tmp_path, *rows("25/01/2026", "26/01/2026", amounts=("100.00 Cr", "50.00 Dr")))
    assert (
        line_with(text, "positive:")
        == f'positive: [{UNDECIDED}] # decide: which of "cr", "dr" is money collected'
    )


def test_the_meaning_of_statuses_is_asked(tmp_path: Path) -> None:
    debits = [("1", f"HDFC700010023400000{n}", "100.00", "25/01/2026", status, "", "", f"T{n}") for n, status in enumerate(["Success", "Success", "Returned"])]  # fmt: skip
    text = draft(write(tmp_path, "a.csv", gb_csv(*debits)), "sample")
    assert line_with(text, f"{UNDECIDED}: [").startswith(
        f'{UNDECIDED}: ["returned", "success"] # decide: which of these is'
    )


def test_a_decided_draft_loads_its_sample(tmp_path: Path) -> None:
    text = drafted(tmp_path, *rows("25/01/2026", "05/01/2026", "06/01/2026"))
    mapping = tmp_path / "sample.yml"
    mapping.write_text(decide(text, DECISIONS), encoding="utf-8")
    result = runner.invoke(
        lenders_app(), ["preview", "--mapping", str(mapping), "--json", str(tmp_path / "sample.csv")]
    )
    *fates, summary = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["loan_id"], row["amount"], row["date"], row["payment_id"]) for row in fates] == [
        ("SMP100234", "5499.00", "2026-01-25", "HDFCN26010500000"),
        ("SMP100235", "2750.50", "2026-01-05", "HDFCN26010500001"),
        ("SMP100236", "1200.00", "2026-01-06", "HDFCN26010500002"),
    ]
    assert (summary["state"], summary["rows_accepted"]) == ("loaded", 3)


def test_a_sample_without_a_table_is_refused(tmp_path: Path) -> None:
    result = runner.invoke(lenders_app(), ["draft", str(write(tmp_path, "a.csv", b"no table here\n"))])
    assert result.exit_code == 1
    assert "a.csv: no row of the first 50 looks like headings" in result.stderr


def scaffolded(tmp_path: Path, *options: str, slug: str = "sample") -> tuple[int, str, str]:
    """What `turno lenders new` says: exit status, output, errors."""
    (tmp_path / "mappings").mkdir(exist_ok=True)
    sample = write(
        tmp_path, "PAID_0601.csv", csv_text([HEADINGS, *rows("25/01/2026", "05/01/2026"), ("",) * 5]).encode()
    )
    where = ["--mappings", str(tmp_path / "mappings"), "--cases", str(tmp_path / "golden")]
    result = runner.invoke(lenders_app(), ["new", slug, "--sample", str(sample), *where, *options])
    return result.exit_code, result.stdout, result.stderr


def test_a_new_lender_gets_mapping_sample_and_a_sheet_for_its_fates(tmp_path: Path) -> None:
    status, said, _ = scaffolded(tmp_path)
    assert status == 0
    case = tmp_path / "golden" / "sample"
    assert {path.name for path in case.iterdir()} == {"PAID_0601.csv", "case.yml", "expected.jsonl"}
    assert yaml.safe_load((case / "case.yml").read_text(encoding="utf-8")) == {
        "kind": "statement",
        "sample": "PAID_0601.csv",
    }
    assert UNDECIDED in (tmp_path / "mappings" / "sample.yml").read_text(encoding="utf-8")
    assert said.splitlines()[-1].startswith("lender sample is in place: settle its mapping")


def test_the_fates_of_a_new_lender_are_to_be_typed_by_hand(tmp_path: Path) -> None:
    scaffolded(tmp_path)
    with pytest.raises(AssertionError, match=r"type the fates of rows \[2, 3\]"):
        expected_fates(tmp_path / "golden" / "sample")


def test_a_decided_draft_becomes_the_mapping_as_it_is(tmp_path: Path) -> None:
    decided = tmp_path / "decided.yml"
    text = drafted(tmp_path, *rows("25/01/2026", "05/01/2026"))
    decided.write_text(decide(text, DECISIONS).replace("statement", "utr_list"), encoding="utf-8")
    status, *_ = scaffolded(tmp_path, "--from-draft", str(decided))
    assert status == 0
    lender = load_lender(tmp_path / "mappings" / "sample.yml")
    assert [*lender.files] == ["utr_list"]
    assert (
        yaml.safe_load((tmp_path / "golden" / "sample" / "case.yml").read_text(encoding="utf-8"))["kind"]
        == "utr_list"
    )


def test_nothing_that_exists_is_overwritten(tmp_path: Path) -> None:
    scaffolded(tmp_path)
    before = (tmp_path / "mappings" / "sample.yml").read_bytes()
    shutil.rmtree(tmp_path / "golden")
    status, _, said = scaffolded(tmp_path)
    assert (status, (tmp_path / "mappings" / "sample.yml").read_bytes()) == (1, before)
    assert "exists already; a new lender overwrites nothing" in said
    assert not (tmp_path / "golden").exists()


def test_a_slug_that_cannot_be_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    status, _, said = scaffolded(tmp_path, slug="all")
    assert status == 1
    assert "is reserved" in said
    assert not [*(tmp_path / "mappings").iterdir()]


def test_a_heading_that_stands_twice_is_told_apart(tmp_path: Path) -> None:
    case = GOLDEN / "malabar"
    text = draft(case / "CollectionReport_06012026.xls", "sample")
    assert line_with(text, f"heading: {UNDECIDED} # decide: which of").startswith(
        f'heading: {UNDECIDED} # decide: which of "Amount" (nth: 1), "Amount" (nth: 2), such as'
    )
