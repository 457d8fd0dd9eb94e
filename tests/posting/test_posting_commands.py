"""`turno posting` from the command line: what it prints, and that a refusal is a sentence and not a trace."""

import json

import pytest
from typer.testing import CliRunner, Result

from local_stack.environment import warehouse_connections
from tests.fineract.tiny_fineract import Fault, TinyFineract
from tests.posting.conftest import NewPoster
from tests.posting.payments import add_payment, pending, post_by_stream, processed
from turno_lms.domain.runs import RunContext
from turno_lms.posting.claim import claim
from turno_lms.posting.commands import app
from turno_lms.warehouse.connection import WarehouseConnection


@pytest.fixture(autouse=True)
def connections(ledger_url: str, tiny: TinyFineract, monkeypatch: pytest.MonkeyPatch) -> None:
    fineract = {"conn_type": "http", "host": tiny.url, "login": "mifos", "password": "password"}
    for name, value in warehouse_connections(lambda _role: ledger_url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_FINERACT", json.dumps(fineract))


def turno_posting(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def doubtful(conn: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext) -> str:
    key = add_payment(conn, "A")
    claim(conn, run)
    tiny.faults.append(Fault.MAKER_CHECKER_200)
    new_poster().post(["A"])
    return key


def test_a_case_in_doubt_is_listed_looked_at_and_settled(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    key = doubtful(ledger, new_poster, tiny, run)
    assert f"kind=posting_in_doubt  posting_key={key}" in turno_posting("parked").stdout
    assert turno_posting("look", key).stdout.startswith("absent: 404")
    refused = turno_posting("settle", key, "--outcome", "posted", "--evidence", "seen", "--actor", "meera")
    assert refused.exit_code != 0
    assert "needs the id of the transaction" in refused.output
    settled = turno_posting(
        "settle", key, "--outcome", "failed", "--evidence", "rejected", "--actor", "meera"
    )
    assert (settled.exit_code, settled.stdout) == (0, f"{key} settled as failed\n")
    entry = processed(ledger, key)
    assert entry is not None
    assert (entry["outcome"], entry["error_message"]) == ("failed", "rejected")
    assert (
        turno_posting("repost", key, "--reason", "approved", "--actor", "meera").stdout
        == f"{key} queued as repayment\n"
    )


def test_a_retry_and_the_switch_say_what_they_did(
    ledger: WarehouseConnection, new_poster: NewPoster, tiny: TinyFineract, run: RunContext
) -> None:
    post_by_stream(ledger, "gb", "file:nach_response")
    key = doubtful(ledger, new_poster, tiny, run)
    assert turno_posting("retry", key, "--reason", "rejected", "--actor", "meera").stdout == f"{key} queued\n"
    intent = pending(ledger, key)
    assert intent is not None
    assert (intent["state"], intent["attempt"]) == ("queued", 2)
    switched = turno_posting("switch", "gb", "*", "stopped", "--reason", "drill", "--actor", "meera")
    assert switched.stdout == "gb * stopped\n"
    assert (
        turno_posting("switch", "gb", "x", "stopped", "--reason", "drill", "--actor", "meera").exit_code != 0
    )


def test_reversing_what_is_not_posted_is_refused(ledger: WarehouseConnection) -> None:
    refused = turno_posting("reverse", "0" * 32, "--reason", "bounced", "--actor", "meera")
    assert refused.exit_code != 0
    assert "not in the ledger" in refused.output
