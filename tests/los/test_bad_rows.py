"""Files with every kind of bad row, one of each operation, from CSV to the row of its result; what is expected is typed by hand.

What is no fault of a row stands elsewhere: a Fineract that is busy or in doubt (test_refusals), a chain of which another
link was refused (test_life_cycle), a product that lacks a term (test_refusals).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.los.fineract_book import RUN, LosBook, approval_of, client_of, loan_of, new_loan
from turno_lms.ingestion.readers.plain import plain_rows
from turno_lms.los.intake import Incoming, LosFile, land_file
from turno_lms.warehouse.connection import WarehouseConnection, connect

FILES = {
    "create_client": """\
reference,client_id,fullname,mobile_no,account_no,activated_on
C-20,CL20,Number Wrong,12ab,,2025-01-01
C-21,CL21,Mobile Taken,9800000001,,2025-01-01
C-22,CL1,Somebody Else,,,2025-01-01
C-23,CL23,Not Yet,,,2999-01-01
C-24,CL24,Account Taken,,ACC-5,2025-01-01
C-25,,No Id,,,2025-01-01
C-26,CL26,No Day,,,01/01/2025
C-1,CL26,Reference Taken,,,2025-01-01
C-28,CL28,As It Should Be,9800000028,,2025-01-01
""",
    "create_loan": """\
reference,loan_id,lender,client_id,principal,number_of_repayments,submitted_on,expected_disbursement_on,emi,first_repayment_on,charges
L-20,AXL20,axle,CL5,12000,12,2025-01-02,2025-01-05,1181.01,,
L-21,AXL21,axle,CL5,12000,12,2025-01-02,2025-01-01,,,
L-22,AXL22,axle,CL5,12000,12,2025-01-02,2025-01-05,,2025-01-05,
L-23,AXL23,nobody,CL5,12000,12,2025-01-02,2025-01-05,,,
L-24,AXL24,axle,CL99,12000,12,2025-01-02,2025-01-05,,,
L-25,AXL25,axle,CL8,12000,12,2025-01-02,2025-01-05,,,
L-26,AXL1,axle,CL1,13000,12,2025-01-02,2025-01-05,1278.33,,
L-27,AXL27,axle,CL5,12000,12,2999-01-02,2999-01-05,,,
L-28,AXL28,axle,CL5,12000,12,2025-01-02,2025-01-05,,,"[{""charge_id"": 99, ""amount"": ""5.00""}]"
L-29,AXL29,axle,CL5,"12,000",12,2025-01-02,2025-01-05,,,
L-30,AXL30,axle,CL5,12000,many,2025-01-02,2025-01-05,,,
L-31,axl 31,axle,CL5,12000,12,2025-01-02,2025-01-05,,,
L-1,AXL32,axle,CL5,12000,12,2025-01-02,2025-01-05,,,
L-33,AXL33,axle,CL5,13000,12,2025-01-02,2025-01-05,1278.33,,
L-34,AXL34,axle,CL5,100000,24,2025-01-02,2025-01-05,5666.67,,
""",
    "approve_loan": """\
reference,loan_id,approved_on,amount
A-20,AXL99,2025-01-03,
A-21,AXL5,2025-01-01,
A-22,AXL7,2025-01-03,
A-23,AXL6,2025-01-03,-5
""",
    "disburse_loan": """\
reference,loan_id,disbursed_on,amount,bank_reference
D-20,AXL5,2025-01-05,12000,UTR00000020
D-21,AXL6,2025-01-05,11000,UTR00000021
D-22,AXL6,5 January,12000,UTR00000022
""",
    "foreclose_loan": """\
reference,loan_id,foreclosed_on,amount
X-20,AXL1,2025-03-05,12300
X-21,AXL1,,12360
""",
}
REFUSED_ROWS = {
    ("create_client", 2, "bad_row", "mobile_no"),
    ("create_client", 7, "bad_row", "client_id"),
    ("create_client", 8, "bad_row", "activated_on"),
    ("create_client", 9, "reference_conflict", "reference"),
    ("create_loan", 11, "bad_row", "principal"),
    ("create_loan", 12, "bad_row", "number_of_repayments"),
    ("create_loan", 13, "bad_row", "loan_id"),
    ("create_loan", 14, "reference_conflict", "reference"),
    ("approve_loan", 5, "bad_row", "amount"),
    ("disburse_loan", 4, "bad_row", "disbursed_on"),
    ("foreclose_loan", 3, "bad_row", "foreclosed_on"),
}
"""Operation, row of the file, reason and field: these never become an operation."""
ENDED = {
    "C-21": ("held", "mobile_taken", "CL1"),
    "C-22": ("held", "client_differs", "not as submitted (fullname"),
    "C-23": ("waiting", "date_in_future", "2999-01-01 is still to come"),
    "C-24": ("held", "account_taken", "CL5"),
    "C-28": ("done", None, ""),
    # 12,000 flat at 18 % a year: 1000.00 of principal and 180.00 of interest a month
    "L-20": ("held", "instalment_differs", "submitted 1181.01, Fineract's schedule has 1180.00"),
    "L-21": ("held", "dates_differ", "2025-01-01 is before the application of 2025-01-02"),
    "L-22": ("held", "dates_differ", "2025-01-05 is not after the expected disbursement"),
    "L-23": ("held", "lender_unknown", "no mapping of lender nobody"),
    "L-24": ("waiting", "client_missing", "no client CL99 yet"),
    "L-25": ("waiting", "client_not_active", "client CL8 is not active"),
    "L-26": ("held", "loan_differs", "not as submitted (principal)"),
    "L-27": ("waiting", "date_in_future", "2999-01-02 is still to come"),
    "L-28": ("refused", "refused_by_fineract", "loanCharge.dueDate.cannot.be.blank"),
    # 13,000: 1083.33 and 195.00; 100,000 for two years: 4166.67 and 1500.00
    "L-33": ("done", None, ""),
    "L-34": ("done", None, ""),
    "A-20": ("waiting", "loan_missing", "no loan AXL99 yet"),
    "A-21": ("refused", "refused_by_fineract", "cannot.be.before.submittal.date"),
    "A-22": ("refused", "state_passed", "Rejected"),
    "D-20": ("waiting", "loan_not_ready", "too early for disburse_loan"),
    "D-21": ("held", "amount_differs", "11000.00"),
    # of 12,000 two months' interest is due by 5 March: 12,360
    "X-20": ("held", "quote_differs", "12360.00"),
}
"""State, reason, and what its message says."""


@pytest.fixture
def standing(book: LosBook) -> LosBook:
    """A loan that is paid out (1), clients with a loan applied for (5), approved (6) and rejected (7), and one pending (8)."""
    new_loan(book, 1)
    book.submit("create_client", client_of(5, account_no="ACC-5"), client_of(6), client_of(7))
    book.submit("create_loan", loan_of(5), loan_of(6), loan_of(7))
    book.submit("approve_loan", approval_of(6))
    book.submit("reject_loan", {"reference": "R-7", "loan_id": "AXL7", "rejected_on": "2025-01-03"})
    pending = {
        "officeId": 1, "legalFormId": 1, "externalId": "CL8", "fullname": "Pending", "active": False,
        "submittedOnDate": "01 January 2025", "locale": "en", "dateFormat": "dd MMMM yyyy",
    }  # fmt: skip
    book.client.send("POST", "/clients", pending, purpose="test", subject="CL8", idempotency_key=None)
    book.run()
    assert set(book.states().values()) == {"done"}
    return book


@pytest.fixture
def app(standing: LosBook) -> Iterator[WarehouseConnection]:
    with connect(standing.app_url, autocommit=True) as conn:
        yield conn


def rows_of(path: Path) -> Iterator[Incoming]:
    for row in plain_rows(path, path.name):
        yield Incoming(row.number, row.cells, row.is_text)


def test_every_kind_of_bad_row_ends_as_typed_by_hand(
    standing: LosBook, app: WarehouseConnection, tmp_path: Path
) -> None:
    for operation, text in FILES.items():
        path = tmp_path / f"{operation}.csv"
        path.write_text(text, encoding="utf-8")
        file = LosFile("turnofile", f"los/{operation}/{path.name}", "etag", operation, standing.caller)
        land_file(app, file, operation, rows_of(path), RUN)
    refused = app.execute("select operation, row_number, reason, field from raw.raw_los_refused_row")
    assert {tuple(row.values()) for row in refused} == REFUSED_ROWS

    standing.run()
    told = app.execute(
        "select reference, state, reason, message from core.core_los_processed where reference ~ '-(2|3).$'"
    ).fetchall()
    assert {row["reference"]: (row["state"], row["reason"]) for row in told} == {
        reference: (state, reason) for reference, (state, reason, _) in ENDED.items()
    }
    for row in told:
        assert ENDED[row["reference"]][2] in (row["message"] or ""), row
    # nothing of the bad rows reached the book: two loans more than before, and one client
    assert {loan["externalId"] for loan in standing.client.list_loans()} == {
        "AXL1", "AXL5", "AXL6", "AXL7", "AXL33", "AXL34",
    }  # fmt: skip
    clients = standing.client.look("/clients", purpose="test").body["totalFilteredRecords"]
    assert clients == len(("CL1", "CL5", "CL6", "CL7", "CL8", "CL28"))
    before = standing.states()
    standing.run()
    assert standing.states() == before, "a second run changes nothing"
