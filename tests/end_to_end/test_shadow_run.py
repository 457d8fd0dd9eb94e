"""A shadow run beside the former system, then the cut-over: nothing is posted before the day, and nothing twice after it.

One demo plays the former system: its ledger, with differences planted by hand, is the table that is exported. A second
demo, with posting stopped, is the shadow.
"""

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from local_stack.demo.airflow_api import AirflowApi
from local_stack.processes import wait_until
from local_stack.sample_data import expected
from tests.end_to_end.conftest import Demo, Finished, Stack, new_demo, running_stack, stack_environment
from turno_lms.warehouse.connection import Row, connect

pytestmark = [pytest.mark.long, pytest.mark.end_to_end, pytest.mark.timeout(3600)]

_RUN_SECONDS = 300
_POSTED = """
select payment.lender, payment.loan_id, payment.amount, payment.business_date
from core.core_transaction_data as payment
inner join core.core_transaction_data_processed as ended on payment.posting_key = ended.posting_key
where ended.outcome = 'posted'
order by payment.lender, payment.loan_id, payment.business_date, payment.amount
"""
_HELD = """
select lender, loan_id, amount, business_date
from core.core_transaction_data
where posting_block = 'evidence_only' and lender = 'gb'
order by loan_id
"""
_ENDED = (
    "select lender, outcome, count(*) as payments from core.core_transaction_data_processed group by 1, 2"
)
_ASKED = """
select count(*) as held
from core.core_recon_exception
where state = 'open' and detail ->> 'reason' like 'the former system posted the same rupees on %'
"""
_SENT = "select count(*) as calls from raw.raw_fineract_api_log where dag_id = 'post_repayments' and method = 'POST'"

# planted: payments the former system books a day later, files it has not read yet, money it took by hand, and one that it
# posted on the gateway's word alone
_ANOTHER_DAY = {"gb": 4}
_NOT_YET_THERE = {"axle": 3}
_BY_HAND = [("gb", "GB100101", "1250.00", "2026-01-09"), ("ugro", "UGR200101", "800.00", "2026-01-12")]
_HELD_HERE = 1


@dataclass(frozen=True)
class Shadow:
    """The shadow's stack with posting stopped, what its demo printed, and the former system's export."""

    stack: Stack
    finished: Finished
    former: Path

    def turno(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return turno(self.stack.state, *words)

    def rows(self, query: str) -> list[Row]:
        return read(self.stack, query)


def turno(state: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command as an engineer types it, on the stack of a state folder."""
    addresses = running_stack(state).variables
    return subprocess.run(
        [sys.executable, "-m", "turno_lms.cli", *words],
        env=stack_environment(state) | addresses, capture_output=True, text=True, check=False,
    )  # fmt: skip


def read(stack: Stack, query: str) -> list[Row]:
    with connect(stack.variables["TURNO_WAREHOUSE_URL"]) as conn:
        return conn.execute(query).fetchall()


def stop(state: Path) -> None:
    command = [sys.executable, "-m", "turno_lms.cli", "stack", "down"]
    subprocess.run(command, env=stack_environment(state), check=True)


def folder(tmp: pytest.TempPathFactory, name: str) -> Demo:
    return new_demo(tmp.mktemp(name))


def former_lines(posted: list[Row], held: list[Row]) -> Iterator[tuple[Any, ...]]:
    """The former system's table of processed payments, with its differences."""
    seen: Counter[str] = Counter()
    for lender, loan_id, amount, day in (row.values() for row in posted):
        seen[lender] += 1
        if seen[lender] <= _NOT_YET_THERE.get(lender, 0):
            continue
        is_late = seen[lender] <= _ANOTHER_DAY.get(lender, 0)
        yield lender, loan_id, amount, day + timedelta(days=1) if is_late else day
    yield from (tuple(row.values()) for row in held[:_HELD_HERE])
    yield from _BY_HAND


@pytest.fixture(scope="module")
def shadow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shadow]:
    former = folder(tmp_path_factory, "former")
    assert former.run().status == 0
    export = former.state / "processed.csv"
    there = running_stack(former.state)
    lines = former_lines(read(there, _POSTED), read(there, _HELD))
    with export.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("lender", "loan_id", "amount", "date"), *lines])
    stop(former.state)

    here = folder(tmp_path_factory, "shadow")
    running_stack(here.state)
    stopped = turno(here.state, "posting", "switch", "*", "*", "stopped", "--reason", "shadow")
    assert stopped.returncode == 0, stopped.stderr
    finished = here.run()
    yield Shadow(running_stack(here.state), finished, export)
    stop(here.state)


def test_a_shadow_takes_in_everything_and_posts_nothing(shadow: Shadow) -> None:
    assert shadow.finished.status == 0, shadow.finished.output
    assert shadow.finished.last_line.startswith(
        f"demo ok rows={expected.ROWS_READ} posted=0 unexplained=0 seconds="
    )
    stopped = {
        row["lender"]: row["payments"]
        for row in shadow.finished.report["transactions"]
        if row["fate"] == "posting is stopped"
    }
    assert stopped == {lender: count for (lender, fate), count in expected.FATES.items() if fate == "posted"}
    assert shadow.finished.report["fineract"] == []
    assert shadow.rows(_SENT) == [{"calls": 0}]


def test_the_comparison_finds_what_was_planted_and_nothing_else(shadow: Shadow) -> None:
    imported = shadow.turno("cutover", "import", str(shadow.former), "--actor", "asha")
    assert imported.returncode == 0, imported.stderr
    compared = shadow.turno("cutover", "compare", "--from", "2025-01-01", "--to", "2026-12-31")
    print(f"\n{imported.stdout}{compared.stdout}")

    same = expected.POSTED - sum(_ANOTHER_DAY.values()) - sum(_NOT_YET_THERE.values())
    assert compared.stdout.splitlines()[-1] == (
        f"cutover same={same} other_day=4 held_here={_HELD_HERE} only_here=3 only_there={len(_BY_HAND)}"
    )
    assert compared.returncode == 1


def test_after_the_day_only_what_the_former_system_never_posted_is_posted(shadow: Shadow) -> None:
    opened = shadow.turno("posting", "switch", "*", "*", "open", "--reason", "go live")
    assert opened.returncode == 0, opened.stderr
    variables = shadow.stack.variables
    api = AirflowApi(*(variables[f"TURNO_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD")))
    api.trigger("post_repayments", "go-live")

    def has_ended() -> bool:
        return api.run("post_repayments", "go-live").is_over

    assert wait_until(has_ended, seconds=_RUN_SECONDS)
    assert api.run("post_repayments", "go-live").state == "success"
    ended = {(row["lender"], row["outcome"]): row["payments"] for row in shadow.rows(_ENDED)}
    assert {
        lender: count for (lender, outcome), count in ended.items() if outcome == "posted"
    } == _NOT_YET_THERE
    assert shadow.rows(_ASKED) == [{"held": sum(_ANOTHER_DAY.values())}]
    proved = shadow.turno("proof")
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert proved.stdout.splitlines()[-1].endswith("transactions=3 differences=0")
