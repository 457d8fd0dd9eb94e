"""The business date decides what the future is, once it is enabled."""

from collections.abc import Callable, Iterator

import pytest

from tests.contracts.fineract.contract_client import FORMAT, Borrower, Fineract, code_of

SetDate = Callable[[str], None]
SWITCH = "/configurations/name/enable-business-date"


@pytest.fixture
def set_business_date(fineract: Fineract) -> Iterator[SetDate]:
    """Enables the business date for the test and sets it."""
    fineract.ok(fineract.send("PUT", SWITCH, {"enabled": True}))

    def move(on: str) -> None:
        fineract.ok(fineract.post("/businessdate", {**FORMAT, "type": "BUSINESS_DATE", "date": on}))

    yield move
    fineract.ok(fineract.send("PUT", SWITCH, {"enabled": False}))


def test_the_switch_is_listed(fineract: Fineract) -> None:
    listed = fineract.ok(fineract.get("/configurations"))["globalConfiguration"]
    assert {c["name"]: c["enabled"] for c in listed}["enable-business-date"] is False


def test_a_payment_after_the_business_date_is_in_the_future(
    borrower: Borrower, set_business_date: SetDate
) -> None:
    loan = borrower.active()
    set_business_date("2025-02-05")
    refusal = loan.repay("2025-02-06", 10)
    assert (refusal.status_code, code_of(refusal)) == (
        403,
        "error.msg.loan.transaction.cannot.be.a.future.date",
    )
    assert loan.repay("2025-02-05", 10).status_code == 200
    set_business_date("2025-02-06")
    assert loan.repay("2025-02-06", 10).status_code == 200


def test_the_business_date_decides_what_is_overdue(borrower: Borrower, set_business_date: SetDate) -> None:
    loan = borrower.active()
    set_business_date("2025-02-05")
    assert loan.look()["summary"]["totalOverdue"] == 0
    set_business_date("2025-02-06")
    assert loan.look()["summary"]["totalOverdue"] == 1120


def test_the_date_is_shown_with_the_close_of_business_behind_it(
    fineract: Fineract, set_business_date: SetDate
) -> None:
    set_business_date("2025-03-01")
    dates = {d["type"]: d["date"] for d in fineract.ok(fineract.get("/businessdate"))}
    assert dates == {"BUSINESS_DATE": [2025, 3, 1], "COB_DATE": [2025, 2, 28]}


def test_without_the_switch_the_date_cannot_be_set(fineract: Fineract) -> None:
    refusal = fineract.post("/businessdate", {**FORMAT, "type": "BUSINESS_DATE", "date": "2025-01-01"})
    assert refusal.status_code == 403
