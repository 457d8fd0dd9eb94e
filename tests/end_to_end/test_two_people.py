"""Write-offs and manual repayments in the real Airflow, asked for by one logged-in user and decided by another: what the
first one may not do.

The loans owe 81,600 rupees (60,000 flat at 18 % over 24 months): the band in which anybody but the requester approves.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from local_stack.processes import free_port
from tests.end_to_end.people import Person, wait_for
from tests.fineract.loan_book import make_loans, standin_client
from turno_lms.domain.dates import ist_date
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(900)]

LOAN = "GB100151"
DAG = "write_off_loan"
FORM = {"lender": "gb", "loan_id": LOAN, "reason": "vehicle stolen"}
OTHER_LOAN = "GB100152"
MANUAL = "post_manual_repayment"
REPAYMENT = {
    "lender": "gb", "loan_id": OTHER_LOAN, "amount": "30000.00", "mode": "neft", "reference": "SBINN52026061012",
}  # fmt: skip
_PORTS = ("postgres", "fineract", "airflow", "airflow-task-logs", "airflow-trigger-logs")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """PostgreSQL, Fineract and Airflow of their own, as `turno stack up` prints them, and Airflow's passwords by user."""
    state = tmp_path_factory.mktemp("two-people")
    foreign = ("TURNO_", "AIRFLOW")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment["TURNO_STATE"] = str(state)
    (state / "ports.json").write_text(json.dumps({name: free_port() for name in _PORTS}), encoding="utf-8")
    command = [sys.executable, "-m", "turno_lms.cli", "stack"]
    up = subprocess.run(
        [*command, "up", "--only", "postgres,fineract,airflow"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    try:
        assert up.returncode == 0, up.stderr
        printed = dict(word.split("=", 1) for line in up.stdout.splitlines() for word in shlex.split(line))
        yield printed | json.loads((state / "airflow" / "passwords.json").read_text(encoding="utf-8"))
    finally:
        subprocess.run([*command, "down"], env=environment, capture_output=True, check=False)


@pytest.fixture(scope="module")
def people(stack: dict[str, str]) -> tuple[Person, Person]:
    """Who asks, and who may answer; the DAGs of this file run, and no others."""
    asha, meera = (Person(stack["TURNO_AIRFLOW_URL"], user, stack[user]) for user in ("operator", "admin"))
    meera.unpause(DAG, MANUAL, "decide_resolution")
    return asha, meera


def rows(stack: dict[str, str], query: str) -> list[dict[str, Any]]:
    with connect(stack["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
        return conn.execute(query).fetchall()


def test_only_another_logged_in_person_s_approval_writes_a_loan_off(
    stack: dict[str, str], people: tuple[Person, Person]
) -> None:
    fineract = standin_client(stack["TURNO_FINERACT_URL"])
    make_loans(fineract, [LOAN], Decimal(60000))
    asha, meera = people

    def status() -> int:
        loan = fineract.find_loan(LOAN)
        assert loan is not None
        return int(loan["status"]["id"])

    # who asked answers the question herself
    first = asha.trigger(DAG, **FORM)
    asha.until(DAG, first, "approve", "awaiting_input", "deferred")
    asha.answer(DAG, first, "Approve")
    assert asha.until(DAG, first, "record_decision", "failed", "success", "skipped") == "failed"
    asha.until(DAG, first, "write_off", "upstream_failed")
    # the refusing task is marked as success, and the writing one cleared
    run = f"/dags/{DAG}/dagRuns/{first}"
    meera.call("PATCH", f"{run}/taskInstances/record_decision", new_state="success")
    meera.call(
        "POST", f"/dags/{DAG}/clearTaskInstances", dry_run=False, dag_run_id=first, task_ids=["write_off"],
        only_failed=False, reset_dag_runs=True,
    )  # fmt: skip
    asha.until(DAG, first, "write_off", "failed")
    assert status() == 300

    (row,) = rows(stack, "select write_off_ref, state, requested_by from core.core_write_off")
    assert (row["state"], row["requested_by"]) == ("requested", "operator")
    asha.trigger("decide_resolution", ref=row["write_off_ref"], action="give up", reason="asked wrongly")
    given_up = "select 1 from core.core_write_off where state = 'stopped'"
    wait_for(lambda: bool(rows(stack, given_up)), "it was not given up")

    # another person approves
    second = asha.trigger(DAG, **FORM)
    asha.until(DAG, second, "approve", "awaiting_input", "deferred")
    meera.answer(DAG, second, "Approve")
    assert asha.until(DAG, second, "write_off", "success", "failed", "upstream_failed") == "success"
    assert status() == 601
    used = "select requested_by, decided_by, state from core.core_approval where state = 'used'"
    assert rows(stack, used) == [{"requested_by": "operator", "decided_by": "admin", "state": "used"}]


def test_a_manual_repayment_above_the_limit_is_landed_by_another_person_s_approval_alone(
    stack: dict[str, str], people: tuple[Person, Person]
) -> None:
    """30,000 rupees, of which one person may enter 25,000: her own approval lands nothing, nor does a rejection."""
    make_loans(standin_client(stack["TURNO_FINERACT_URL"]), [OTHER_LOAN], Decimal(60000))
    asha, meera = people
    approvals = (
        "select state, requested_by, decided_by from core.core_approval where purpose = 'manual_repayment'"
        " order by approval_id"
    )
    landed = "select loan_id, amount from raw.raw_manual_repayment"

    def asked() -> str:
        run_id = asha.trigger(MANUAL, **REPAYMENT, date=f"{ist_date(datetime.now(UTC))}")
        asha.until(MANUAL, run_id, "approve", "awaiting_input", "deferred")
        return run_id

    own = asked()
    asha.answer(MANUAL, own, "Approve")
    assert asha.until(MANUAL, own, "record_decision", "failed", "success", "skipped") == "failed"
    assert asha.until(MANUAL, own, "land_entries", "upstream_failed", "success") == "upstream_failed"
    assert rows(stack, landed) == []
    assert rows(stack, approvals) == [{"state": "requested", "requested_by": "operator", "decided_by": None}]

    rejected = asked()
    meera.answer(MANUAL, rejected, "Reject")
    assert asha.until(MANUAL, rejected, "land_entries", "skipped", "success", "failed") == "skipped"
    assert rows(stack, landed) == []
    assert rows(stack, approvals)[1] == {
        "state": "rejected", "requested_by": "operator", "decided_by": "admin",
    }  # fmt: skip

    approved = asked()
    meera.answer(MANUAL, approved, "Approve")
    assert asha.until(MANUAL, approved, "land_entries", "success", "failed", "upstream_failed") == "success"
    assert rows(stack, landed) == [{"loan_id": OTHER_LOAN, "amount": "30000.00"}]
    assert rows(stack, approvals)[2] == {
        "state": "used", "requested_by": "operator", "decided_by": "admin",
    }  # fmt: skip
