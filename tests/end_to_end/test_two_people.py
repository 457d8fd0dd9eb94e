"""A write-off in the real Airflow, asked for by one logged-in user and decided by another: what the first one may not do.

GB100151 owes 81,600 rupees (60,000 flat at 18 % over 24 months): the band in which anybody but the requester approves.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from local_stack.processes import free_port
from tests.fineract.loan_book import make_loans, standin_client
from turno_lms.warehouse.connection import connect

pytestmark = [pytest.mark.end_to_end, pytest.mark.long, pytest.mark.timeout(900)]

LOAN = "GB100151"
DAG = "write_off_loan"
FORM = {"lender": "gb", "loan_id": LOAN, "reason": "vehicle stolen"}
_PORTS = ("postgres", "fineract", "airflow", "airflow-task-logs", "airflow-trigger-logs")
_SECONDS = 240


class Person:
    """One logged-in user of Airflow's API."""

    def __init__(self, url: str, user: str, password: str):
        self._url = f"{url}/api/v2"
        answer = requests.post(f"{url}/auth/token", json={"username": user, "password": password}, timeout=30)
        answer.raise_for_status()
        self._headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def call(self, method: str, path: str, **body: Any) -> Any:
        """One request that must succeed."""
        answer = requests.request(
            method, f"{self._url}{path}", json=body or None, headers=self._headers, timeout=60
        )
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json()

    def knows(self, *dag_ids: str) -> bool:
        """Whether Airflow has parsed these DAGs."""
        return set(dag_ids) <= {dag["dag_id"] for dag in self.call("GET", "/dags?limit=100")["dags"]}

    def trigger(self, dag_id: str, **conf: Any) -> str:
        """Start a run by the form; returns its id."""
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", logical_date=None, conf=conf)["dag_run_id"])

    def states(self, run_id: str) -> dict[str, str]:
        """The tasks of a run by their states."""
        found = self.call("GET", f"/dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: str(task["state"]) for task in found}

    def answer(self, run_id: str, option: str) -> None:
        """Answer the approval under Required Actions, again if the question comes back.

        Airflow asks anew when an answer is quicker than its executor's report that the question was put.
        """
        path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        deadline = time.monotonic() + _SECONDS
        while self.states(run_id)["approve"] != "success":
            assert time.monotonic() < deadline, f"nobody took the answer: {self.states(run_id)}"
            time.sleep(5)
            if self.states(run_id)["approve"] in {"awaiting_input", "deferred"}:
                self.call("PATCH", path, chosen_options=[option], params_input={})


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


def wait_for(what: Callable[[], bool], message: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not what():
        assert time.monotonic() < deadline, message
        time.sleep(1)


def test_only_another_logged_in_person_s_approval_writes_a_loan_off(stack: dict[str, str]) -> None:
    fineract = standin_client(stack["TURNO_FINERACT_URL"])
    make_loans(fineract, [LOAN], Decimal(60000))
    people = {user: Person(stack["TURNO_AIRFLOW_URL"], user, stack[user]) for user in ("operator", "admin")}
    asha, meera = people["operator"], people["admin"]

    def status() -> int:
        loan = fineract.find_loan(LOAN)
        assert loan is not None
        return int(loan["status"]["id"])

    def until(run_id: str, task: str, *states: str) -> str:
        wait_for(
            lambda: asha.states(run_id).get(task) in states,
            f"{task} never came to {states}: {asha.states(run_id)}",
        )
        return asha.states(run_id)[task]

    wait_for(lambda: asha.knows(DAG, "decide_resolution"), "Airflow has not parsed the DAGs")
    meera.call(
        "PATCH", "/dags?dag_id_pattern=~", is_paused=True
    )  # the schedules of the others are not needed
    for needed in (DAG, "decide_resolution"):
        meera.call("PATCH", f"/dags/{needed}", is_paused=False)
    # who asked answers the question herself
    first = asha.trigger(DAG, **FORM)
    until(first, "approve", "awaiting_input", "deferred")
    asha.answer(first, "Approve")
    assert until(first, "record_decision", "failed", "success", "skipped") == "failed"
    until(first, "write_off", "upstream_failed")
    # the refusing task is marked as success, and the writing one cleared
    run = f"/dags/{DAG}/dagRuns/{first}"
    meera.call("PATCH", f"{run}/taskInstances/record_decision", new_state="success")
    meera.call(
        "POST", f"/dags/{DAG}/clearTaskInstances", dry_run=False, dag_run_id=first, task_ids=["write_off"],
        only_failed=False, reset_dag_runs=True,
    )  # fmt: skip
    until(first, "write_off", "failed")
    assert status() == 300

    with connect(stack["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
        row = conn.execute("select write_off_ref, state, requested_by from core.core_write_off").fetchone()
    assert row is not None
    assert (row["state"], row["requested_by"]) == ("requested", "operator")
    asha.trigger("decide_resolution", ref=row["write_off_ref"], action="give up", reason="asked wrongly")

    def given_up() -> bool:
        with connect(stack["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
            found = conn.execute("select state from core.core_write_off").fetchone()
        return found == {"state": "stopped"}

    wait_for(given_up, "it was not given up")

    # another person approves
    second = asha.trigger(DAG, **FORM)
    until(second, "approve", "awaiting_input", "deferred")
    meera.answer(second, "Approve")
    assert until(second, "write_off", "success", "failed", "upstream_failed") == "success"
    assert status() == 601
    with connect(stack["TURNO_WAREHOUSE_URL"], autocommit=True) as conn:
        row = conn.execute(
            "select requested_by, decided_by, state from core.core_approval where state = 'used'"
        ).fetchone()
    assert row == {"requested_by": "operator", "decided_by": "admin", "state": "used"}
