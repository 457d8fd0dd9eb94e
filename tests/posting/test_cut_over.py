"""Taking over from the former system: what it posted is never posted again, and both are compared payment by payment."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.posting.payments import (
    add_ending,
    add_payment,
    create_transaction_table,
    pending,
    post_by_stream,
    processed,
)
from turno_lms.domain.runs import RunContext
from turno_lms.posting import cut_over
from turno_lms.posting.claim import claim
from turno_lms.posting.cut_over_commands import app
from turno_lms.posting.former_postings import FormerPosting, FormerPostingsError, read_csv
from turno_lms.warehouse.connection import WarehouseConnection

RUN = RunContext("post_repayments", "r1", "claim")
HEADING = "lender,loan_id,amount,date,source_key,fineract_transaction_id\n"
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)


@pytest.fixture
def here(warehouse: WarehouseConnection) -> WarehouseConnection:
    """A warehouse with the lender gb, that posts from 1 December."""
    create_transaction_table(warehouse)
    post_by_stream(warehouse, "gb", "file:nach_response")
    warehouse.commit()
    return warehouse


def former(*lines: str) -> list[FormerPosting]:
    return read_csv("lender,loan_id,amount,date\n" + "\n".join(lines))


def take_in(conn: WarehouseConnection, *lines: str) -> cut_over.TakenIn:
    return cut_over.take_in(conn, former(*lines), "processed.csv", "0" * 64, "tester")


# ---------------------------------------------------------------- the file


def test_a_row_gets_the_key_that_the_payment_has_here() -> None:
    (row,) = read_csv(HEADING + " GB ,gb100234,5499.00,2026-01-05,,77\n")
    assert (row.lender, row.loan_id, row.amount, row.fineract_transaction_id) == (
        "gb",
        "GB100234",
        Decimal("5499.00"),
        77,
    )
    # md5 of gbGB1002342026-01-055499.00, taken by hand with md5sum
    assert row.posting_key == "aa2cba115df228ebb7864d04fe5d4787"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("gb,,5499.00,2026-01-05,,", "line 2: loan_id is missing"),
        ("gb,GB1,54.999,2026-01-05,,", "line 2: amount '54.999' is not rupees"),
        ("gb,GB1,-1,2026-01-05,,", "line 2: amount -1 is not above zero"),
        ("gb,GB1,5499.00,05/01/2026,,", "line 2: date '05/01/2026' is not a day"),
        ("gb,GB1,5499.00,2026-01-05,,abc", "line 2: fineract_transaction_id 'abc' is not a whole number"),
        ("gb,GB1,5499.00,2026-01-05,aeadc250024562542b3ed6ba8b557226,", "line 2: source_key aeadc250024562542b3ed6ba8b557226 is not that"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_right_is_named(line: str, fault: str) -> None:
    with pytest.raises(FormerPostingsError, match=fault.replace("(", r"\(")):
        read_csv(HEADING + line)


def test_the_same_payment_twice_is_a_fault_and_not_guessed() -> None:
    with pytest.raises(FormerPostingsError, match="line 3: the same payment as in line 2"):
        former("gb,GB1,5499.00,2026-01-05", "GB, gb1 ,5499,2026-01-05")


# ---------------------------------------------------------------- the import


def test_what_the_former_system_posted_is_never_claimed(here: WarehouseConnection) -> None:
    posted_there, new_here = add_payment(here, "GB1"), add_payment(here, "GB2")

    taken = take_in(here, "gb,GB1,5499.00,2026-01-05")
    report = claim(here, RUN)

    assert (taken.new, taken.rupees, taken.known, taken.posted_by_both) == (1, Decimal("5499.00"), 0, ())
    assert report.claimed == 1
    assert pending(here, posted_there) is None
    assert pending(here, new_here) is not None
    row = processed(here, posted_there)
    assert row is not None
    assert row["outcome"] == "historic"


def test_the_same_file_again_is_a_no_op(here: WarehouseConnection) -> None:
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    again = take_in(here, "gb,GB1,5499.00,2026-01-05", "gb,GB2,1.00,2026-01-05")
    assert (again.new, again.rupees, again.known) == (1, Decimal("1.00"), 1)


def test_money_that_both_systems_posted_is_said_out_loud(here: WarehouseConnection) -> None:
    key = add_payment(here, "GB1")
    add_ending(here, key, "posted", loan_id="GB1")
    assert take_in(here, "gb,GB1,5499.00,2026-01-05").posted_by_both == (key,)


def test_nothing_is_taken_while_one_of_the_payments_is_in_the_queue(here: WarehouseConnection) -> None:
    add_payment(here, "GB1")
    claim(here, RUN)
    with pytest.raises(FormerPostingsError, match="1 of these payments are in the posting queue"):
        take_in(here, "gb,GB1,5499.00,2026-01-05", "gb,GB2,5499.00,2026-01-05")
    assert here.execute("select count(*) as n from raw.raw_former_posting").fetchone() == {"n": 0}


def test_a_lender_without_a_mapping_is_refused(here: WarehouseConnection) -> None:
    with pytest.raises(FormerPostingsError, match="no mapping for the lender other"):
        take_in(here, "other,X1,5499.00,2026-01-05")


# ---------------------------------------------------------------- the same money under another date


def test_money_of_another_date_is_held_for_a_person_not_posted(here: WarehouseConnection) -> None:
    key = add_payment(here, "GB1", business_date=date(2026, 1, 7))
    take_in(here, "gb,GB1,5499.00,2026-01-05")

    assert claim(here, RUN).claimed == 0
    question = here.execute("select subject, detail from core.core_recon_exception").fetchone()
    assert question is not None
    assert question["subject"] == key
    assert question["detail"]["reason"] == "the former system posted the same rupees on 2026-01-05"


def test_a_person_says_that_it_is_the_same(here: WarehouseConnection) -> None:
    key = add_payment(here, "GB1", business_date=date(2026, 1, 7))
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    claim(here, RUN)

    assert (
        cut_over.same_money(here, key, "UTR on both", "asha")
        == former("gb,GB1,5499.00,2026-01-05")[0].posting_key
    )

    assert claim(here, RUN).claimed == 0
    row = processed(here, key)
    assert row is not None
    assert row["outcome"] == "historic"
    with pytest.raises(cut_over.CutOverError, match="is not held as money that the former system"):
        cut_over.same_money(here, key, "again", "asha")


def test_a_person_says_that_it_is_other_money(here: WarehouseConnection) -> None:
    key = add_payment(here, "GB1", business_date=date(2026, 1, 7))
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    claim(here, RUN)
    here.execute(
        "insert into core.core_payment_decision (posting_key, decision, reason, decided_by)"
        " values (%s, 'release', 'two instalments', 'asha')",
        (key,),
    )
    assert claim(here, RUN).claimed == 1


def test_money_whose_posting_there_is_explained_by_its_own_payment_holds_no_other(
    here: WarehouseConnection,
) -> None:
    add_payment(here, "GB1")
    next_week = add_payment(here, "GB1", business_date=date(2026, 1, 11))
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    assert claim(here, RUN).claimed == 1
    assert pending(here, next_week) is not None


# ---------------------------------------------------------------- the comparison


def verdicts(conn: WarehouseConnection) -> dict[str, tuple[str, str | None]]:
    return {row.loan_id: (row.verdict, row.held_by) for row in cut_over.compare(conn, FIRST, LAST)}


def days_and_verdicts(conn: WarehouseConnection) -> list[tuple[int | None, int | None, str]]:
    return [
        (row.date_here and row.date_here.day, row.date_there and row.date_there.day, row.verdict)
        for row in cut_over.compare(conn, FIRST, LAST)
    ]


def test_every_payment_gets_one_verdict(here: WarehouseConnection) -> None:
    add_payment(here, "GB1")
    add_payment(here, "GB2", business_date=date(2026, 1, 8))
    add_payment(here, "GB3", block="possible_duplicate")
    add_payment(here, "GB4")
    add_payment(here, "GB6", block="evidence_only")
    add_payment(here, "GB7", business_date=date(2026, 1, 20))
    take_in(
        here,
        "gb,GB1,5499.00,2026-01-05",
        "gb,GB2,5499.00,2026-01-05",
        "gb,GB3,5499.00,2026-01-05",
        "gb,GB5,5499.00,2026-01-05",
        "gb,GB8,5499.00,2026-02-05",
    )

    assert verdicts(here) == {
        "GB1": ("same", None),
        "GB2": ("other_day", None),
        "GB3": ("held_here", "possible_duplicate"),
        "GB4": ("only_here", None),
        "GB5": ("only_there", None),
        # GB6: neither posts it
        "GB7": ("only_here", None),
        # GB8: another month
    }


def test_two_payments_of_the_same_rupees_are_paired_one_to_one(here: WarehouseConnection) -> None:
    for day in (6, 8):
        add_payment(here, "GB1", business_date=date(2026, 1, day))
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    assert days_and_verdicts(here) == [(6, 5, "other_day"), (8, None, "only_here")]


def test_the_nearest_are_paired_whatever_else_the_loan_paid(here: WarehouseConnection) -> None:
    """A weekly payer: what one system lacks at the beginning shifts nothing."""
    for day in (2, 9, 16):
        add_payment(here, "GB1", business_date=date(2026, 1, day))
    take_in(here, "gb,GB1,5499.00,2026-01-10", "gb,GB1,5499.00,2026-01-17", "gb,GB1,5499.00,2026-01-30")
    assert days_and_verdicts(here) == [
        (2, None, "only_here"), (9, 10, "other_day"), (16, 17, "other_day"), (None, 30, "only_there"),
    ]  # fmt: skip


def test_of_two_as_near_the_one_that_nothing_holds_is_the_former_systems(here: WarehouseConnection) -> None:
    add_payment(here, "GB1", business_date=date(2026, 1, 4), block="possible_duplicate")
    add_payment(here, "GB1", business_date=date(2026, 1, 6))
    take_in(here, "gb,GB1,5499.00,2026-01-05")
    assert days_and_verdicts(here) == [(6, 5, "other_day")]


def test_the_commands_end_with_their_figures(
    here: WarehouseConnection, warehouse_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_WAREHOUSE_POSTER", warehouse_url)
    add_payment(here, "GB1")
    add_payment(here, "GB2", "100.50")
    here.commit()
    file = tmp_path / "processed.csv"
    file.write_text("lender,loan_id,amount,date\ngb,GB1,5499.00,2026-01-05\n", encoding="utf-8")

    imported = CliRunner().invoke(app, ["import", str(file), "--actor", "asha"])
    compared = CliRunner().invoke(
        app, ["compare", "--from", "2026-01-01", "--to", "2026-01-31", "--details", str(tmp_path / "out.csv")]
    )

    assert imported.output.splitlines()[-1] == "cutover imported=1 rupees=5499.00 known=0 posted_by_both=0"
    assert compared.exit_code == 1
    assert compared.output.splitlines() == [
        "lender  verdict    held by  payments    rupees",
        "gb      only_here                  1    100.50",
        "gb      same                       1  5,499.00",
        "cutover same=1 other_day=0 held_here=0 only_here=1 only_there=0",
    ]
    assert (
        (tmp_path / "out.csv")
        .read_text(encoding="utf-8")
        .splitlines()[1]
        .startswith("only_here,gb,GB2,100.50,2026-01-05")
    )
