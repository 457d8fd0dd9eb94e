"""A repayment entered by hand goes the way of every payment, and holds or is held by one that arrives by itself."""

from datetime import date
from typing import Any

import pytest

from tests.dbt.landing import UGRO, FileRow, put_file, put_lender, put_loan, put_manual_entry
from tests.dbt.project import DbtProject
from turno_lms.domain import keys
from turno_lms.identity import decisions
from turno_lms.warehouse.connection import Role

LOAN = "UG200001"


@pytest.fixture
def ugro(project: DbtProject) -> DbtProject:
    put_lender(project.conn, UGRO)
    put_loan(project.conn, LOAN, 2)
    return project


def key(day: int) -> str:
    return keys.source_key("ugro", LOAN, date(2026, 1, day), "100.00")


def file_row(day: int, reference: str = "UTR1") -> FileRow:
    return FileRow(LOAN, date=f"2026-01-0{day}", payment_id=f"R{day}", sub_reference_id=reference)


def build(project: DbtProject) -> dict[str, dict[str, Any]]:
    project.build_warehouse()
    return project.payments()


def test_it_may_be_posted_like_any_other_and_reaches_the_lenders_loan_only(ugro: DbtProject) -> None:
    put_manual_entry(ugro.conn, "ugro", LOAN.lower(), reference="UTR9")
    put_manual_entry(ugro.conn, "ugro", "GB999999")
    row = build(ugro)[key(5)]
    assert (row["posting_block"], row["stream"], row["channels_seen"]) == (
        None,
        "manual_repayments",
        ["manual"],
    )
    assert (row["amount"], row["bank_reference"]) == (100, "UTR9")
    questions = ugro.conn.execute("select kind from core.core_recon_exception").fetchall()
    assert questions == [{"kind": "unknown_loan"}]


def test_a_file_that_brings_the_same_reference_is_the_same_payment(ugro: DbtProject) -> None:
    put_manual_entry(ugro.conn, "ugro", LOAN, reference="utr1")
    build(ugro)
    put_file(ugro.conn, "ugro", "statement", [file_row(7)])
    payments = build(ugro)
    assert payments.keys() == {key(5)}
    assert (payments[key(5)]["sightings"], payments[key(5)]["posting_block"]) == (2, None)


@pytest.mark.parametrize("manual_first", [True, False])
def test_the_later_one_is_held_within_three_days_whichever_came_first(
    ugro: DbtProject, *, manual_first: bool
) -> None:
    def manual() -> None:
        put_manual_entry(ugro.conn, "ugro", LOAN, day="2026-01-05", reference="UTR8")

    def automatic() -> None:
        put_file(ugro.conn, "ugro", "statement", [file_row(8)])

    first, second = (manual, automatic) if manual_first else (automatic, manual)
    first()
    before = build(ugro)
    assert [row["posting_block"] for row in before.values()] == [None]
    second()
    payments = build(ugro)
    held = key(8) if manual_first else key(5)
    assert payments[held]["posting_block"] == "possible_duplicate"
    assert payments[key(5) if manual_first else key(8)]["posting_block"] is None

    decisions.release(ugro.session(Role.RECONCILER), held, "a second instalment", "meera")
    assert build(ugro)[held]["posting_block"] is None


def test_the_held_one_that_is_the_same_money_is_linked_and_never_posted(ugro: DbtProject) -> None:
    put_manual_entry(ugro.conn, "ugro", LOAN, day="2026-01-05", reference="UTR8")
    put_file(ugro.conn, "ugro", "statement", [file_row(8), file_row(9, "UTR2")])
    payments = build(ugro)  # both new at once: it is the manual one that waits; the 9th is too far away
    blocks = {posting_key: row["posting_block"] for posting_key, row in payments.items()}
    assert blocks == {key(5): "possible_duplicate", key(8): None, key(9): None}
    decisions.link(
        ugro.session(Role.RECONCILER), key(5), key(8), "the bank's statement shows one transfer", "meera"
    )
    assert build(ugro).keys() == {key(8), key(9)}
