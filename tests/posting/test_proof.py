"""Ledger and Fineract in bijection, against the stand-in; and files that do not add up."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from local_stack.environment import warehouse_connections
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.conftest import QUICK
from tests.posting.payments import add_ending, add_payment
from turno_lms.domain.runs import RunContext
from turno_lms.fineract.audit import AuditSink
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.repayments import Repayment
from turno_lms.fineract.snapshots import snapshot_loans
from turno_lms.posting import commands
from turno_lms.posting.cases import parked, resolve_overpayment
from turno_lms.posting.claim import claim
from turno_lms.posting.proof import (
    DifferenceKind,
    ProofError,
    ProofReport,
    changed_loans,
    find_files_that_do_not_tie,
    prove,
)
from turno_lms.posting.worker import Poster
from turno_lms.warehouse.connection import Row, WarehouseConnection, connect

LOANS = ["A", "B", "C"]
JANUARY_5 = date(2026, 1, 5)


@pytest.fixture
def client(fineract_url: str) -> FineractClient:
    client = standin_client(fineract_url)
    make_loans(client, LOANS)
    return client


@pytest.fixture
def keys(
    ledger: WarehouseConnection, ledger_url: str, client: FineractClient, fineract_url: str, run: RunContext
) -> list[str]:
    """A repayment on each loan, posted by the real worker to the real stand-in."""
    keys = [add_payment(ledger, loan) for loan in LOANS]
    claim(ledger, run)

    def new_client(audit: AuditSink) -> FineractClient:
        return standin_client(fineract_url, audit)

    Poster(lambda: connect(ledger_url, autocommit=True), new_client, run, QUICK).post(LOANS)
    return keys


@pytest.fixture
def proof(
    ledger_url: str, client: FineractClient, run: RunContext
) -> Callable[[list[str] | None], ProofReport]:
    def prove_now(loan_ids: list[str] | None = None) -> ProofReport:
        with connect(ledger_url) as conn:
            return prove(conn, client, loan_ids, run)

    return prove_now


Proof = Callable[..., ProofReport]


def kinds(report: ProofReport) -> list[tuple[DifferenceKind, str]]:
    return [(difference.kind, difference.posting_key) for difference in report.differences]


def open_exceptions(conn: WarehouseConnection) -> list[Row]:
    return conn.execute(
        "select subject, loan_id, detail ->> 'difference' as difference, state from core.core_recon_exception"
        " where kind = 'proof_difference' order by exception_id"
    ).fetchall()


def test_what_was_posted_is_in_bijection(keys: list[str], proof: Proof) -> None:
    for report in (proof(), proof(LOANS)):
        assert (report.loans, report.transactions, report.foreign, report.differences) == (3, 3, 0, [])
        report.raise_for_differences()


def test_a_payment_that_fineract_lost_is_named_and_clears_when_it_is_back(
    ledger: WarehouseConnection, keys: list[str], proof: Proof, client: FineractClient
) -> None:
    lost = "9" * 32
    add_ending(ledger, lost, "posted", loan_id="B", business_date=date(2026, 1, 6), amount="100.00")
    report = proof(["B"])
    assert kinds(report) == [(DifferenceKind.MISSING_IN_FINERACT, lost)]
    with pytest.raises(
        ProofError, match=rf"1 differences .*missing_in_fineract: loan B, 100\.00 rupees, key {lost}"
    ):
        report.raise_for_differences()
    proof(["B"])  # a second proof of the same difference opens nothing more
    [opened] = open_exceptions(ledger)
    assert opened == {"subject": lost, "loan_id": "B", "difference": "missing_in_fineract", "state": "open"}
    client.post_repayment(Repayment(lost, "B", date(2026, 1, 6), Decimal("100.00"), 1), "k")
    assert proof(["B"]).differences == []
    assert open_exceptions(ledger)[0]["state"] == "cleared"


def test_money_that_only_fineract_knows_under_a_key_of_ours_is_named(
    ledger: WarehouseConnection, keys: list[str], proof: Proof
) -> None:
    ledger.execute("delete from core.core_transaction_data_processed where posting_key = %s", (keys[0],))
    report = proof()
    assert kinds(report) == [(DifferenceKind.MISSING_IN_LEDGER, keys[0])]
    assert report.transactions == 2


@pytest.mark.parametrize("outcome", ["failed", "withdrawn"])
def test_money_in_fineract_that_the_ledger_gave_up_is_named(
    ledger: WarehouseConnection, keys: list[str], proof: Proof, outcome: str
) -> None:
    ledger.execute(
        "update core.core_transaction_data_processed set outcome = %s where posting_key = %s",
        (outcome, keys[0]),
    )
    assert kinds(proof()) == [(DifferenceKind.ENDED_OTHERWISE, keys[0])]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("update core.core_transaction_data_processed set amount = 5499.01", DifferenceKind.AMOUNT_DIFFERS),
        (
            "update core.core_transaction_data_processed set business_date = '2026-01-06'",
            DifferenceKind.DATE_DIFFERS,
        ),
    ],
    ids=["amount", "date"],
)
def test_amount_and_date_are_compared(
    ledger: WarehouseConnection, keys: list[str], proof: Proof, change: str, kind: DifferenceKind
) -> None:
    ledger.execute(change)
    assert sorted(kinds(proof())) == sorted((kind, key) for key in keys)


def test_money_on_another_loan_is_named_from_both_sides(
    ledger: WarehouseConnection, keys: list[str], proof: Proof
) -> None:
    ledger.execute(
        "update core.core_transaction_data_processed set loan_id = 'B' where posting_key = %s", (keys[0],)
    )
    assert kinds(proof(["A"])) == [(DifferenceKind.LOAN_DIFFERS, keys[0])]
    assert kinds(proof(["B"])) == [(DifferenceKind.MISSING_IN_FINERACT, keys[0])]


def test_a_reversal_by_hand_in_fineract_is_named(
    keys: list[str], proof: Proof, client: FineractClient
) -> None:
    client.undo_transaction("C", keys[2], date(2026, 1, 7))
    assert kinds(proof()) == [(DifferenceKind.REVERSED_IN_FINERACT, keys[2])]


def test_what_is_not_ours_is_counted_as_foreign_and_is_no_difference(
    keys: list[str], proof: Proof, client: FineractClient
) -> None:
    client.post_repayment(Repayment("branch-17", "A", JANUARY_5, Decimal("50.00"), 1), "k")
    report = proof()
    assert (report.foreign, report.transactions, report.differences) == (1, 3, [])


def test_money_whose_intent_is_still_open_is_unsettled_and_no_difference(
    ledger: WarehouseConnection, keys: list[str], proof: Proof, run: RunContext
) -> None:
    ledger.execute("delete from core.core_transaction_data_processed where posting_key = %s", (keys[0],))
    claim(ledger, run)
    report = proof()
    assert (report.unsettled, report.transactions, report.differences) == (1, 2, [])


def test_a_loan_that_fineract_does_not_have_hides_nothing(
    ledger: WarehouseConnection, keys: list[str], proof: Proof
) -> None:
    ledger.execute(
        "update core.core_transaction_data_processed set loan_id = 'GONE' where posting_key = %s", (keys[0],)
    )
    assert (DifferenceKind.MISSING_IN_FINERACT, keys[0]) in kinds(proof(["GONE"]))
    report = proof()  # every loan of the ledger is proved, whether Fineract lists it or not
    assert report.loans == 4
    assert DifferenceKind.LOAN_DIFFERS in {difference.kind for difference in report.differences}


# ---------------------------------------------------------------- conservation


def add_file(conn: WarehouseConnection, state: str) -> int:
    """A file of 4 rows and 600.00 rupees: 2 accepted (300.00), 1 filtered (100.00), 1 rejected (200.00)."""
    found = conn.execute(
        """
        insert into raw.raw_s3_file_processing_log (
            bucket, key, etag, size_bytes, lender, state, dag_id, dag_run_id,
            rows_read, rows_accepted, rows_filtered, rows_duplicate, rows_rejected,
            paise_read, paise_accepted, paise_filtered, paise_duplicate, paise_rejected
        )
        values ('b', 'k', 'e', 1, 'gb', %s, 'd', 'r', 4, 2, 1, 0, 1, 60000, 30000, 10000, 0, 20000)
        returning file_id
        """,
        (state,),
    ).fetchone()
    assert found is not None
    return int(found["file_id"])


def add_rows(conn: WarehouseConnection, file_id: int, amounts: list[str]) -> None:
    conn.execute("create table raw.raw_gb partition of raw.raw_payment_file for values in ('gb')")
    conn.cursor().executemany(
        """
        insert into raw.raw_payment_file
            (loan_id, amount, date, source_file, lender, _kind, _file_id, _row_number, _mapping_version)
        values ('A', %s, '2026-01-05', 'k', 'gb', 'x', %s, %s, '1')
        """,
        [(amount, file_id, number) for number, amount in enumerate(amounts, start=1)],
    )


def add_reject(
    conn: WarehouseConnection, file_id: int, row_number: int, disposition: str, paise: int
) -> None:
    conn.execute(
        "insert into raw.raw_rejected_records (file_id, lender, row_number, disposition, reason_code, rule, message,"
        " amount_paise, raw_text, mapping_version) values (%s, 'gb', %s, %s, 'r', 'r', 'm', %s, '', '1')",
        (file_id, row_number, disposition, paise),
    )


def add_sound_file(conn: WarehouseConnection) -> int:
    file_id = add_file(conn, "loaded")
    add_rows(conn, file_id, ["100.00", "200.00"])
    add_reject(conn, file_id, 3, "filtered", 10000)
    add_reject(conn, file_id, 4, "rejected", 20000)
    return file_id


def test_a_file_that_adds_up_is_not_named(warehouse: WarehouseConnection) -> None:
    add_sound_file(warehouse)
    assert find_files_that_do_not_tie(warehouse) == []


@pytest.mark.parametrize(
    "damage",
    [
        "delete from raw.raw_payment_file where _row_number = 2",
        "update raw.raw_payment_file set amount = '100.01' where _row_number = 1",
        "update raw.raw_rejected_records set disposition = 'duplicate' where row_number = 3",
        "delete from raw.raw_rejected_records where row_number = 4",
        "update raw.raw_s3_file_processing_log set state = 'halted'",
    ],
)
def test_a_file_that_does_not_add_up_is_named(warehouse: WarehouseConnection, damage: str) -> None:
    file_id = add_sound_file(warehouse)
    warehouse.execute(damage)
    [line] = find_files_that_do_not_tie(warehouse)
    assert line.startswith(f"file {file_id} k (")


def test_a_halted_file_keeps_its_rejects_and_no_rows(warehouse: WarehouseConnection) -> None:
    file_id = add_file(warehouse, "halted")
    add_reject(warehouse, file_id, 1, "rejected", 20000)
    assert find_files_that_do_not_tie(warehouse) == []


# ---------------------------------------------------------------- the command


@pytest.fixture
def turno_proof(monkeypatch: pytest.MonkeyPatch, warehouse_url: str, fineract_url: str) -> Callable[[], Any]:
    extra = {"tenant": "default"}
    connection = {
        "conn_type": "http",
        "host": fineract_url,
        "login": "mifos",
        "password": "password",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps(connection))
    for name, value in warehouse_connections(lambda _role: warehouse_url).items():
        monkeypatch.setenv(name, value)

    def invoke() -> Any:
        app = typer.Typer()
        app.command()(commands.proof)
        return CliRunner().invoke(app, [])

    return invoke


def test_the_command_ends_with_one_line_for_machines(keys: list[str], turno_proof: Callable[[], Any]) -> None:
    result = turno_proof()
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == "proof ok loans=3 transactions=3 differences=0"


def test_the_command_lists_what_is_wrong_and_fails(
    ledger: WarehouseConnection, keys: list[str], turno_proof: Callable[[], Any]
) -> None:
    ledger.execute("delete from core.core_transaction_data_processed where posting_key = %s", (keys[0],))
    file_id = add_sound_file(ledger)
    add_reject(ledger, file_id, 5, "rejected", 1)
    result = turno_proof()
    lines = result.output.splitlines()
    assert result.exit_code == 1
    assert lines[0].startswith(f"missing_in_ledger: loan A, 5499.00 rupees, key {keys[0]}")
    assert lines[1].startswith(f"file {file_id} k (loaded): logged 4/2/1/0/1/60000/")
    assert lines[-1] == "proof failed loans=3 transactions=2 differences=1"


def test_the_daily_proof_looks_at_what_changed_since_the_last_one(
    ledger: WarehouseConnection,
    client: FineractClient,
    proof: Callable[..., ProofReport],
    keys: list[str],
    run: RunContext,
) -> None:
    assert changed_loans(ledger) == LOANS  # never proved
    proof(LOANS)
    assert changed_loans(ledger) == []
    snapshot_loans(ledger, client, run)
    assert changed_loans(ledger) == LOANS  # Fineract shows them for the first time
    proof(LOANS)
    client.undo_transaction("B", keys[1], JANUARY_5)  # by hand, past the ledger
    assert changed_loans(ledger) == []
    snapshot_loans(ledger, client, run)
    assert changed_loans(ledger) == ["B"]
    assert [each.kind for each in proof(["B"]).differences] == [DifferenceKind.REVERSED_IN_FINERACT]
    assert changed_loans(ledger) == ["B"]  # until it is healed
    ledger.execute("update core.core_transaction_data_processed set processed_at = now() where loan_id = 'C'")
    assert changed_loans(ledger) == ["B", "C"]


def test_rupees_beyond_the_dues_are_asked_about_once(
    ledger: WarehouseConnection, client: FineractClient, fineract_url: str, ledger_url: str, run: RunContext,
    proof: Callable[..., ProofReport],
) -> None:  # fmt: skip
    # 100 000 at 18 % flat for two years: 136 000 are owed; 136 000.75 are paid
    key = add_payment(ledger, "A", "136000.75")
    claim(ledger, run)
    Poster(
        lambda: connect(ledger_url, autocommit=True),
        lambda audit: standin_client(fineract_url, audit),
        run,
        QUICK,
    ).post(["A"])
    assert proof(["A"]).differences == []
    proof(["A"])
    [row] = parked(ledger)
    assert (row["kind"], row["posting_key"], row["amount"]) == ("overpaid", key, Decimal("0.75"))
    resolve_overpayment(ledger, key, "refunded by NEFT UTR7", "meera")
    proof(["A"])
    assert parked(ledger) == []
