"""People who are logged in to Airflow's API, and waiting for what they have set off."""

import time
from collections.abc import Callable
from typing import Any

import requests

SECONDS = 240


def wait_for(what: Callable[[], bool], message: str, seconds: float = SECONDS) -> None:
    """Look once a second until it is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, message
        time.sleep(1)


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

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        """The tasks of a run by their states."""
        found = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return {task["task_id"]: str(task["state"]) for task in found}

    def until(self, dag_id: str, run_id: str, task: str, *states: str) -> str:
        """Wait until a task is in one of these states; which one."""

        deadline = time.monotonic() + SECONDS
        while (found := self.states(dag_id, run_id)).get(task) not in states:
            assert time.monotonic() < deadline, f"{task} of {dag_id} never came to {states}: {found}"
            time.sleep(1)
        return found[task]

    def unpause(self, *dag_ids: str) -> None:
        """Let these DAGs run, and no others: their schedules are not needed."""
        wait_for(lambda: self.knows(*dag_ids), "Airflow has not parsed the DAGs")
        self.call("PATCH", "/dags?dag_id_pattern=~", is_paused=True)
        for dag_id in dag_ids:
            self.call("PATCH", f"/dags/{dag_id}", is_paused=False)

    def answer(self, dag_id: str, run_id: str, option: str) -> None:
        """Answer the approval under Required Actions, again if the question comes back.

        Airflow asks anew when an answer is quicker than its executor's report that the question was put.
        """
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"
        deadline = time.monotonic() + SECONDS
        while self.states(dag_id, run_id)["approve"] != "success":
            assert time.monotonic() < deadline, f"nobody took the answer: {self.states(dag_id, run_id)}"
            time.sleep(5)
            if self.states(dag_id, run_id)["approve"] in {"awaiting_input", "deferred"}:
                self.call("PATCH", path, chosen_options=[option], params_input={})
