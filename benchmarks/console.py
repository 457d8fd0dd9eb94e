"""The console's pages over a million payments, as a logged-in person gets them, without the network.

Beside each page stands what it can't be faster than: its query of one row by primary key in the same warehouse.
ROWS sets the payments; WAITING how many of them, the newest, wait for the next claim (a day's).
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from unittest.mock import patch

from starlette.testclient import TestClient

from benchmarks.services import postgres_server, warehouse
from local_stack.environment import warehouse_connections
from tests.dbt.project import DbtProject, dbt_project
from turno_lms.warehouse.connection import Role, connect

ROWS = 1_000_000
WAITING = 3_000
ROUNDS = 7
_TEMPLATE = "bench_template"
_MILLISECONDS = 1000

_FILL = Path(__file__).with_suffix(".sql")
_ONE = "select * from core.core_transaction_data where posting_key = md5('payment777')"
_A_LINK = "select link_id from core.core_payment_link where loan_id = 'GB0000777' order by link_id limit 1"
_A_SUBMISSION = "select submission_id from raw.raw_los_submission where reference = 'create_loan777'"


def run() -> Mapping[str, float | int]:
    """Time each page."""
    rows = int(os.environ.get("ROWS", ROWS))
    with postgres_server() as databases, TemporaryDirectory(prefix="turno-bench-") as output:
        warehouse(databases, _TEMPLATE)
        with dbt_project(databases, _TEMPLATE, Path(output)) as project, _console(project) as browser:
            waiting = int(os.environ.get("WAITING", WAITING))
            fill(project, rows, waiting)
            pages = {name: _page(browser, path) for name, path in _paths(project).items()}
            limit = _median(lambda: _one_row(project))
    for name, milliseconds in pages.items():
        print(f"{name}: {milliseconds:.0f} ms", flush=True)
    return {
        "rows": rows,
        "waiting": waiting,
        "pages": len(pages),
        "worst_ms": max(pages.values()),
        "one_row_ms": limit,
    }


def fill(project: DbtProject, rows: int, waiting: int) -> None:
    """So many payments with all that is around them; the loan master is dbt's own."""
    for name, value in (("rows", rows), ("waiting", waiting)):
        project.conn.execute("select set_config('turno_bench.' || %s, %s, false)", [name, str(value)])
    project.conn.execute(_FILL.read_text(encoding="utf-8"))
    project.conn.execute("vacuum analyze")
    project.dbt("run", "--select", "base_loan", "core_loan_master", "core_resolution_report")
    project.conn.execute("vacuum analyze")


def _paths(project: DbtProject) -> dict[str, str]:
    payment = (project.conn.execute(_ONE).fetchone() or {})["posting_key"]
    link, submission = (project.conn.execute(query).fetchone() or {} for query in (_A_LINK, _A_SUBMISSION))
    return {
        "today": "/",
        "files": "/files/list",
        "one file": "/files/detail?pk=7",
        "rejected rows": "/rejected-rows/list",
        "rejected rows, open": "/rejected-rows/list?filter=fate__is%3Dopen+AND+disposition__is%3Drejected",
        "rejected rows of a file": "/rejected-rows/list?filter=file_id__is%3D7",
        "mandates": "/umrn/list",
        "loans": "/loans/list",
        "loans by what is overdue": "/loans/list?sort=total_overdue__desc",
        "loan by its client's phone": "/loans/list?q=9800000777",
        "loan by its client's name": "/loans/list?q=Client+777",
        "one loan, its schedule, payments and all": "/loans/detail?pk=GB0000777",
        "payments": "/payments/list",
        "payments, a hundred pages on": "/payments/list?page=100",
        "payments held": "/payments/list?filter=posting_block__is%3Dpossible_duplicate",
        "payments to be queued": "/payments/list?filter=posting__ready",
        "payments of a loan": "/payments/list?q=GB0000777",
        "payment by bank reference": "/payments/list?q=UTR777",
        "life of a rupee": f"/payments/detail?pk={payment}",
        "exceptions": "/exceptions/list",
        "exceptions overdue": "/exceptions/list?filter=deadline__is%3Doverdue",
        "exceptions of a loan": "/exceptions/list?q=GB0000777",
        "one exception, its history and candidates": "/exceptions/detail?pk=777",
        "queue": "/queue/list",
        "held": "/held/list",
        "waits for a decision": "/parked/list",
        "ended calls": "/posted/list",
        "ended calls of a loan": "/posted/list?q=GB0000777",
        "switches": "/switches/list",
        "webhooks": "/webhooks/list",
        "a webhook by its key": "/webhooks/list?q=evt_777",
        "dead letters": "/dead-letters/list",
        "replays": "/replays/list",
        "LOS": "/los/list",
        "LOS, rows refused": "/los-refused/list",
        "LOS, held": "/los/list?filter=state__is%3Dheld",
        "LOS of a loan": "/los/list?q=GB0000777",
        "one submission": f"/los/detail?pk={submission['submission_id']}",
        "payment links": "/payment-links/list",
        "payment links, open": "/payment-links/list?filter=state__is%3Dopen",
        "payment links of a loan": "/payment-links/list?q=GB0000777",
        "one payment link and its life": f"/payment-links/detail?pk={link['link_id']}",
        "settlements": "/resolutions/list",
        "one settlement": "/resolutions/detail?pk=S777",
        "settlements by month": "/resolution-report/list",
        "approvals": "/approvals/list",
        "calls to Fineract": "/fineract-calls/list",
        "calls by idempotency key": f"/fineract-calls/list?q={payment}-a1",
    }


@contextmanager
def _console(project: DbtProject) -> Iterator[TestClient]:
    """The console with a person in it; Airflow's login is measured elsewhere, by Airflow."""
    os.environ.update(warehouse_connections(project.url))
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    from turno_lms.console.access import ConsoleUser
    from turno_lms.console.app import create_app

    async def person(_request: object) -> SimpleAuthManagerUser:
        return SimpleAuthManagerUser(username="benchmark", role="ADMIN")

    with (
        patch("turno_lms.console.access._airflow_user", person),
        patch.object(ConsoleUser, "_may", lambda _self, _method, _dag_id: True),
        patch.object(ConsoleUser, "may_read_audit_log", lambda _self: True),
    ):
        yield TestClient(create_app())


def _page(browser: TestClient, path: str) -> float:
    def get() -> None:
        browser.get(path).raise_for_status()

    get()
    return _median(get)


def _one_row(project: DbtProject) -> None:
    with connect(project.url(Role.CONSOLE)) as conn:
        conn.execute(_ONE).fetchone()


def _median(what: Callable[[], None]) -> float:
    """The median time of some rounds, in milliseconds."""
    rounds = []
    for _ in range(ROUNDS):
        started = perf_counter()
        what()
        rounds.append(perf_counter() - started)
    return median(rounds) * _MILLISECONDS
