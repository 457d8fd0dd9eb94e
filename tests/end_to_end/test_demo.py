"""`turno demo --once`, for real: its own stack on its own ports, the real scheduler, and the hand-counted figures."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from local_stack.processes import free_port
from local_stack.sample_data import expected
from tests.end_to_end.secret_hunt import PLANTED, assert_no_secret_is_found

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1700)]

_PORTS = (
    "postgres", "s3", "fineract", "gateways", "receiver", "airflow", "airflow-task-logs", "airflow-trigger-logs",
)  # fmt: skip
_FOREIGN = ("TURNO_", "AIRFLOW")
_SECONDS = 1500
_STAYS_UP = "everything stays up"


@dataclass(frozen=True)
class Finished:
    """A demo that has ended: its exit status, what it printed, and its report."""

    status: int
    output: str
    report: dict[str, Any]

    @property
    def last_line(self) -> str:
        return self.output.rstrip().rsplit("\n", 1)[-1]


class Demo:
    """`turno demo --once` in a state folder of its own.

    `killing` says which service to kill -9 when which text has been printed.
    """

    def __init__(self, state: Path) -> None:
        self.state = state

    @property
    def environment(self) -> dict[str, str]:
        """What its programs are started with: this state folder, and secrets to be looked for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return kept | PLANTED | {"TURNO_STATE": str(self.state), "PYTHONUNBUFFERED": "1"}

    def run(self, while_up: Callable[[], None] | None = None, **killing: str) -> Finished:
        """Run it to its end; `while_up` is called when all is done and everything still runs."""
        process = subprocess.Popen(
            [sys.executable, "-m", "turno_lms.cli", "demo", *([] if while_up else ["--once"])],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        watchdog = threading.Timer(_SECONDS, process.terminate)
        watchdog.start()
        lines = []
        for line in process.stdout or ():
            lines.append(line)
            for service in [name for name, text in killing.items() if text in line]:
                del killing[service]
                self._kill(service.replace("_", "-"))
            if while_up and _STAYS_UP in line:
                try:
                    while_up()
                finally:
                    process.send_signal(signal.SIGINT)
        watchdog.cancel()
        assert not killing, f"never came to kill {killing}:\n{''.join(lines)}"
        report = self.state / "demo-report.json"
        return Finished(
            process.wait(), "".join(lines), json.loads(report.read_text()) if report.exists() else {}
        )

    def _kill(self, service: str) -> None:
        running = json.loads((self.state / "running.json").read_text())
        os.kill(running["services"][service]["session"]["leader"]["pid"], signal.SIGKILL)


def new_demo(state: Path) -> Demo:
    (state / "ports.json").write_text(json.dumps({name: free_port() for name in _PORTS}))
    return Demo(state)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return new_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def first(demo: Demo) -> Finished:
    return demo.run()


def figures(report: dict[str, Any], section: str, what: str, count: str) -> dict[tuple[str, str], int]:
    return {(row["lender"], row[what]): row[count] for row in report[section]}


def money(paise: int) -> Decimal:
    return Decimal(paise) / 100


def assert_expected_end_state(finished: Finished) -> None:
    report = finished.report
    assert finished.status == 0, finished.output
    assert finished.last_line.startswith(
        f"demo ok rows={expected.ROWS_READ} posted={expected.POSTED} unexplained=0 seconds="
    )
    assert report["untied"] == []
    assert {row["lender"]: row["mandates"] for row in report["mandates"]} == expected.MANDATES
    assert figures(report, "transactions", "fate", "payments") == expected.FATES
    assert figures(report, "reconciliation", "status", "payments") == expected.RECONCILED
    assert figures(report, "exceptions", "kind", "exceptions") == expected.EXCEPTIONS
    assert figures(report, "links", "state", "links") == expected.LINKS
    assert {
        row["lender"]: (row["events"], row["payments"]) for row in report["webhooks"]
    } == expected.WEBHOOKS
    in_fineract = {row["lender"]: Decimal(row["rupees"]) for row in report["fineract"]}
    assert in_fineract == expected.RUPEES_POSTED


def test_the_first_demo_comes_to_the_hand_counted_figures(first: Finished) -> None:
    assert_expected_end_state(first)


@pytest.mark.parametrize("counted", expected.FILES, ids=lambda counted: counted.name)
def test_a_files_log_row_holds_the_hand_counted_rows_and_rupees(
    first: Finished, counted: expected.ExpectedFile
) -> None:
    logged = next(row for row in first.report["files"] if row["file"] == counted.name)

    assert logged["state"] == counted.state
    assert [logged[part] for part in ("read", "accepted", "filtered", "duplicate", "rejected", "unreadable")] == [
        counted.read, counted.accepted, counted.filtered, counted.duplicate, counted.rejected, counted.unreadable,
    ]  # fmt: skip
    assert [money(logged[f"paise_{part}"]) for part in ("accepted", "filtered", "duplicate", "rejected")] == [
        counted.rupees_accepted, counted.rupees_filtered, counted.rupees_duplicate, counted.rupees_rejected,
    ]  # fmt: skip


def test_every_figure_names_the_dag_run_that_made_it(first: Finished) -> None:
    assert {row["run"].split("/")[0] for row in first.report["files"]} == {
        "ingest__gb",
        "ingest__ugro",
        "ingest__axle",
    }
    posted = [row for row in first.report["transactions"] if row["fate"] == "posted"]
    assert all(run.startswith("post_repayments/") for row in posted for run in row["runs"])
    assert all(row["runs"] for row in posted)
    assert first.report["builds"]


def test_a_refused_file_says_why_in_the_table(first: Finished) -> None:
    assert "NACH_RESPONSE_GB_20260121_empty.csv is empty" in first.output
    assert "lacks Amount (Rs.)" in first.output


def test_a_second_demo_triggers_nothing_and_changes_nothing_and_no_secret_has_leaked(
    demo: Demo, first: Finished
) -> None:
    second = demo.run(while_up=lambda: assert_no_secret_is_found(demo.state, demo.environment))

    assert_expected_end_state(second)
    assert second.report["started"] == []
    for section in (
        "files",
        "mandates",
        "reasons",
        "webhooks",
        "transactions",
        "reconciliation",
        "exceptions",
        "links",
        "fineract",
    ):
        assert second.report[section] == first.report[section], section


@pytest.mark.long
def test_a_killed_scheduler_and_a_killed_fineract_lead_to_the_same_end_state(tmp_path: Path) -> None:
    finished = new_demo(tmp_path).run(
        airflow_scheduler="build_warehouse/",
        fineract="post_repayments/",
    )

    assert_expected_end_state(finished)
