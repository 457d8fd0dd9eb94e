"""Files and forms: the same checks as the receiver's, every row one fate, a bad one refused with its field and reason."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.los.fineract_book import RUN, client_of, loan_of
from turno_lms.ingestion.readers.plain import plain_rows
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.los.intake import Incoming, LosFile, is_known, land_file, land_form, refuse_file
from turno_lms.los.schemas import problems, schema_folder
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect
from webhook_receiver.los_schemas import read_operations

LOANS = LosFile("turnofile", "los/create_loan/loans.csv", "etag1", "create_loan", "files")
HEADINGS = (
    "reference", "loan_id", "lender", "client_id", "principal", "number_of_repayments", "submitted_on",
    "expected_disbursement_on", "charges",
)  # fmt: skip


@pytest.fixture
def app(warehouse_role_url: Callable[[str], str]) -> Iterator[WarehouseConnection]:
    with connect(warehouse_role_url(Role.POSTER), autocommit=True) as conn:
        yield conn


def rows_of(path: Path) -> Iterator[Incoming]:
    for row in plain_rows(path, path.name):
        yield Incoming(row.number, row.cells, row.is_text)


def csv_of(path: Path, *rows: dict[str, Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADINGS, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


def refused(conn: WarehouseConnection) -> list[tuple[int, str, str]]:
    query = "select row_number, reason, field from raw.raw_los_refused_row order by row_number, field"
    return [(row["row_number"], row["reason"], row["field"]) for row in conn.execute(query)]


def test_a_file_with_every_kind_of_bad_row_lands_the_good_ones_and_says_what_is_wrong_with_each(
    app: WarehouseConnection, tmp_path: Path
) -> None:
    land_form(app, "create_loan", "files", [Incoming(1, loan_of(9, reference="taken"), is_text=False)], RUN)
    bad: list[dict[str, Any]] = [
        {"principal": "12,000"},
        {"principal": "-5"},
        {"principal": ""},
        {"number_of_repayments": "twelve"},
        {"number_of_repayments": "0"},
        {"submitted_on": "2025-02-30"},
        {"submitted_on": "05/01/2025"},
        {"loan_id": "axl 1"},
        {"lender": "Axle Capital"},
        {"charges": "[{"},
        {"charges": '[{"charge_id": 3, "amount": 590.5}]'},
        {"reference": "no blanks please"},
        {"reference": "taken", "principal": "13000"},  # another loan stands under it
    ]
    rows = [loan_of(number, **change) for number, change in enumerate(bad, start=1)]
    good = loan_of(20, charges='[{"charge_id": 3, "amount": "590.50"}]')
    path = csv_of(tmp_path / "loans.csv", *rows, good, good)
    taken = land_file(app, LOANS, "sha", rows_of(path), RUN)
    assert (taken.read, taken.accepted, taken.duplicate, taken.refused) == (15, 1, 1, 13)
    assert refused(app) == [
        (2, "bad_row", "principal"),
        (3, "bad_row", "principal"),
        (4, "bad_row", "principal"),
        (5, "bad_row", "number_of_repayments"),
        (6, "bad_row", "number_of_repayments"),
        (7, "bad_row", "submitted_on"),
        (8, "bad_row", "submitted_on"),
        (8, "bad_row", "submitted_on"),
        (9, "bad_row", "loan_id"),
        (10, "bad_row", "lender"),
        (11, "bad_row", "charges"),
        (12, "bad_row", "charges.0.amount"),
        (13, "bad_row", "reference"),
        (14, "reference_conflict", "reference"),
    ]
    stored = app.execute("select * from raw.raw_los_submission where reference = 'L-20'").fetchone() or {}
    assert (stored["source"], stored["row_number"], stored["payload"]["number_of_repayments"]) == (
        "file",
        15,
        12,
    )
    assert stored["payload"]["charges"] == [{"charge_id": 3, "amount": "590.50"}]
    log = app.execute("select * from core.core_los_file").fetchone() or {}
    assert (log["state"], log["rows_read"], log["rows_refused"]) == ("landed", 15, 13)
    assert is_known(app, LOANS)
    assert all("row " in told for told in taken.first_problems)


def test_a_heading_that_no_schema_knows_is_the_field_of_every_row(
    app: WarehouseConnection, tmp_path: Path
) -> None:
    path = tmp_path / "loans.csv"
    path.write_text("reference,colour\nR-1,red\n", encoding="utf-8")
    land_file(app, LOANS, "sha", rows_of(path), RUN)
    messages = [row["problem"] for row in app.execute("select problem from raw.raw_los_refused_row")]
    assert any("colour" in message for message in messages)


def test_csv_xlsx_and_json_say_the_same(app: WarehouseConnection, tmp_path: Path) -> None:
    client = client_of(1)
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    sheet.append(list(client))
    sheet.append(list(client.values()))
    workbook.save(tmp_path / "clients.xlsx")
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(client))
    writer.writeheader()
    writer.writerow(client)
    (tmp_path / "clients.csv").write_text(buffer.getvalue(), encoding="utf-8")
    (tmp_path / "clients.json").write_text(json.dumps([client]), encoding="utf-8")
    (tmp_path / "clients.jsonl").write_text(json.dumps(client) + "\n", encoding="utf-8")
    for number, name in enumerate(("clients.csv", "clients.xlsx", "clients.json", "clients.jsonl")):
        file = LosFile("turnofile", f"los/create_client/{name}", "e", "create_client", "files")
        taken = land_file(app, file, "sha", rows_of(tmp_path / name), RUN)
        assert (taken.accepted, taken.duplicate) == ((1, 0) if number == 0 else (0, 1)), (name, refused(app))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"%PDF-1.4", "looks like a PDF document"),
        (b"a,a\n1,2\n", "heading a twice"),
        (b"a,b\n1,2,3\n", "more cells than there are headings"),
        (b'[{"a": 1}', "cannot be read as JSON"),
        (b'{"a": 1}\n{"a": \n', "line 2 cannot be read as JSON"),
        (b"a,b\n\xff\xfe,1\n", "is not utf-8 text"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(
    app: WarehouseConnection, tmp_path: Path, content: bytes, told: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(FileRefusedError, match=told):
        land_file(app, LOANS, "sha", rows_of(path), RUN)
    assert not is_known(app, LOANS), "nothing of it is stored"
    refuse_file(app, LOANS, "unreadable", RUN)
    assert is_known(app, LOANS)


RECEIVERS = read_operations(schema_folder())
ITEMS: list[tuple[str, Any]] = [
    ("create_client", client_of(1)),
    ("create_client", client_of(1, fullname="x" * 161)),
    ("create_client", client_of(1, activated_on="2025-02-30")),
    ("create_client", client_of(1, mobile_no="1\n")),
    ("create_client", {"reference": "x"}),
    ("create_loan", loan_of(1)),
    ("create_loan", loan_of(1, principal=12000)),
    ("create_loan", loan_of(1, colour="red")),
    ("create_loan", "no object"),
    ("undo_approval", {"reference": "r", "loan_id": "L1", "note": ""}),
    ("reject_loan", {"reference": "r", "loan_id": "L1"}),
]


@pytest.mark.parametrize(("operation", "item"), ITEMS)
def test_the_receiver_and_the_files_are_checked_alike(operation: str, item: Any) -> None:
    ours, theirs = problems(operation, item), RECEIVERS.problems(operation, item)
    assert [problem.message for problem in ours] == [problem.message for problem in theirs]
