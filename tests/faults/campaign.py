"""The posting campaign: repayments are posted while posters, Fineract and PostgreSQL are killed for real, sessions are
cut, and the network drops, hangs and lies; then Fineract's books are compared with what was to be posted.

Two posters work as the same run at once, started anew whenever they end, as a task that is cleared or retried. A person
is played too: what is in doubt is retried, what was refused is posted again.

`python -m tests.faults.campaign --rounds 20` ends with `faults rounds=... kills=... postings=... doubles=0 lost=0`,
status 1 if any figure is wrong. The seed is printed; it fixes payments, faults and moments of death.
"""

import argparse
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import requests

from local_stack import postgres
from local_stack.health import answers
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, block_payment, create_transaction_table
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import RepaymentKind
from turno_lms.posting import cases
from turno_lms.posting.claim import claim
from turno_lms.posting.proof import prove
from turno_lms.warehouse.connection import connect
from turno_lms.warehouse.migrate import migrate

FAULT_RATES = {
    "maker_checker": "0.02",
    "refused_503": "0.02",
    "late": "0.02",
    "hang_before": "0.02",
    "drop_before": "0.06",
    "drop_after": "0.06",
    "hang_after": "0.03",
    "error_before": "0.04",
    "error_after": "0.04",
    "stuck": "0.03",
    "bad_gateway": "0.04",
    "unavailable": "0.04",
    "loan_locked": "0.04",
    "conflict": "0.04",
}
READ_FAULT_RATES = {"drop_before": "0.05", "error_before": "0.05", "bad_gateway": "0.05"}
DEATHS = ("before_send", "after_send", "before_commit")
RUN_ID = "the same run"
PERSON = RunContext("faults", RUN_ID, "decide", actor="a person")
POSTERS = 2
LOANS = 12
LATENCY_MS = 15
MOMENT_OF_DEATH = (0.8, 2.0)  # seconds after work was added: a poster needs most of one to start
REFUNDED = 0.05
"""The part of the payments that is refunded between claim and sending."""


@dataclass
class Figures:
    """What a campaign did and found. `open` and `differences` are counted after everything was left to finish;
    `side_by_side` says that a loan had two calls in flight, and is asked in good weather only: there a second call
    cannot belong to a first one that the caller gave up.
    """

    rounds: int = 0
    kills: int = 0
    postings: int = 0
    doubles: int = 0
    lost: int = 0
    open: int = 0
    differences: int = 0
    side_by_side: int = 0
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def clean(self) -> bool:
        return not (self.doubles or self.lost or self.open or self.differences or self.side_by_side)

    def __str__(self) -> str:
        return (
            f"faults rounds={self.rounds} kills={self.kills} postings={self.postings} "
            f"doubles={self.doubles} lost={self.lost}"
        )


class FineractServer:
    """The stand-in as a process of its own, killed and started again over the same state."""

    def __init__(self, folder: Path):
        self._log = folder / "fineract.log"
        self._state = folder / "fineract.sqlite"
        self._port = free_port()
        self.url = f"http://{LOOPBACK}:{self._port}/fineract-provider/api/v1"
        parts = urlsplit(self.url)
        self.standin_url = f"{parts.scheme}://{parts.netloc}/standin"
        self.start()

    def start(self) -> None:
        where = ["--port", str(self._port), "--state", str(self._state)]
        self._process = spawn([sys.executable, "-m", "local_stack.fineract", *where], log=self._log)
        assert wait_until(lambda: answers(self.url), seconds=30), self._log.read_text(encoding="utf-8")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        stop_child(self._process)

    def switch_faults_on(self, seed: int, plan: "Plan") -> None:
        """Rules die with the process, so they are set again after each start."""
        settings = {"retry_pauses_ms": [20, 40], "seed": seed}
        requests.put(f"{self.standin_url}/settings", json=settings, timeout=5).raise_for_status()
        rules = [
            {"requests": "repayment", "fault": fault, "rate": rate} for fault, rate in plan.rates.items()
        ]
        rules += [
            {"requests": "get_transaction", "fault": fault, "rate": rate}
            for fault, rate in (READ_FAULT_RATES if plan.rates else {}).items()
        ]
        for rule in [{"requests": "repayment", "latency_ms": plan.latency_ms}, *rules]:
            requests.post(f"{self.standin_url}/rules", json=rule, timeout=5).raise_for_status()

    def most_writes_at_once_on_a_loan(self) -> int:
        answer = requests.get(f"{self.standin_url}/counters", timeout=5).json()
        return int(answer["most_writes_at_once_on_a_loan"])

    def switch_faults_off(self) -> None:
        requests.delete(f"{self.standin_url}/rules", timeout=5).raise_for_status()


@dataclass(frozen=True)
class Plan:
    """What is done to the posters. With a `bug` planted the campaign has less patience: it is to turn red soon."""

    payments: int
    kills: int
    rates: Mapping[str, str] = field(default_factory=lambda: FAULT_RATES)
    latency_ms: int = LATENCY_MS
    bug: str | None = None
    round_seconds: float = 60.0
    finish_seconds: float = 120.0


class Campaign:
    """One warehouse, one Fineract, posters to kill. Each payment has an amount that no other has."""

    def __init__(self, database: "Database", folder: Path, seed: int, plan: Plan):
        self._database = database
        self._url = database.url
        self._plan = plan
        self._log = folder / "posters.log"
        self._chance = random.Random(seed)  # noqa: S311  # repeatable trouble, no secret
        self._loans = [f"F{number:03}" for number in range(LOANS)]
        self._expected: dict[Decimal, str] = {}
        self._refunded = 0
        self._posters: list[subprocess.Popen[bytes]] = []
        self.figures = Figures()
        self._fineract = FineractServer(folder)
        make_loans(standin_client(self._fineract.url), self._loans, Decimal(1_000_000))
        with connect(self._url) as conn:
            create_transaction_table(conn)

    def close(self) -> None:
        for poster in self._posters:
            stop_child(poster)
        self._fineract.stop()

    def play_round(self) -> None:
        """Payments arrive in slices, after each slice someone dies; then the trouble goes on until all is posted."""
        self._fineract.switch_faults_on(self._chance.randrange(2**31), self._plan)
        slices = max(self._plan.kills, 1)
        for _ in range(slices):
            self._add_payments(self._plan.payments // slices)
            self._keep_posters_running()
            if self._plan.kills:
                time.sleep(self._chance.uniform(*MOMENT_OF_DEATH))
                self._chance.choices(
                    [self._kill_a_poster, self._kill_fineract, self._restart_database, self._cut_connections],
                    weights=[5, 2, 1 if self._database.may_restart else 0, 2],
                )[0]()
        wait_until(self._all_is_posted, seconds=self._plan.round_seconds)
        self.figures.rounds += 1

    def finish(self) -> Figures:
        """Let everything end in peace, then compare the books."""
        for poster in self._posters:
            stop_child(poster)
        if not self._plan.rates:
            self.figures.side_by_side = int(self._fineract.most_writes_at_once_on_a_loan() > 1)
        self._fineract.switch_faults_off()
        self._answer_questions()
        peaceful = spawn(self._command(), log=self._log)
        wait_until(lambda: peaceful.poll() is not None, seconds=self._plan.finish_seconds)
        if peaceful.poll():
            print(
                f"in peace a poster ended with {peaceful.returncode}:",
                self._log.read_text()[-2000:],
                flush=True,
            )
        stop_child(peaceful)
        self._compare()
        return self.figures

    def _all_is_posted(self) -> bool:
        self._keep_posters_running()
        self._answer_questions()
        with connect(self._url) as conn:
            rows = conn.execute(
                "select count(*) as n from core.core_transaction_data_processed where outcome <> 'failed'"
            ).fetchone()
        return rows is not None and rows["n"] == len(self._expected) + self._refunded

    def _answer_questions(self) -> None:
        """The person: what is in doubt is retried, what was refused is posted again."""
        with connect(self._url, autocommit=True) as conn:
            for question in cases.parked(conn):
                # what is no longer in that state has gone on by itself, or was answered before
                with suppress(cases.CaseError):
                    if question["kind"] == "posting_in_doubt":
                        cases.retry(conn, question["posting_key"], "the checker rejected it", "a person")
                    else:
                        cases.repost(conn, question["posting_key"], RepaymentKind.REPAYMENT, "mended", PERSON)

    def _add_payments(self, how_many: int) -> None:
        with connect(self._url) as conn:
            for _ in range(how_many):
                amount = Decimal(10_000 + len(self._expected) + self._refunded) / 100
                loan_id = self._chance.choice(self._loans)
                day = date(2026, 1, self._chance.randint(1, 28))
                key = add_payment(conn, loan_id, f"{amount:.2f}", day)
                if self._chance.random() < REFUNDED:
                    claim(
                        conn, PERSON
                    )  # it has its intent when the refund comes: only the last look can stop it
                    block_payment(conn, key, "not_collected")
                    self._refunded += 1
                else:
                    self._expected[amount] = loan_id
        self.figures.postings = len(self._expected)

    def _keep_posters_running(self) -> None:
        self._reap()
        while len(self._posters) < POSTERS:
            death = []
            if self._plan.kills and self._chance.random() < 0.5:
                death = ["--die-at", f"{self._chance.choice(DEATHS)}:{self._chance.randint(1, 10)}"]
            self._posters.append(spawn([*self._command(), *death], log=self._log))

    def _command(self) -> list[str]:
        bug = ["--bug", self._plan.bug] if self._plan.bug else []
        where = ["--warehouse", self._url, "--fineract", self._fineract.url]
        return [sys.executable, "-m", "tests.faults.poster", *where, *bug]

    def _reap(self) -> None:
        """Count posters that died at their own hand, forget those that are done."""
        for poster in [each for each in self._posters if each.poll() is not None]:
            self._posters.remove(poster)
            self._count_death("poster at a point" if poster.returncode == -9 else "")

    def _kill_a_poster(self) -> None:
        self._reap()
        if self._posters:
            poster = self._posters.pop(self._chance.randrange(len(self._posters)))
            poster.kill()
            poster.wait()
            self._count_death("poster at a moment")

    def _kill_fineract(self) -> None:
        self._fineract.kill()
        time.sleep(self._chance.uniform(0.1, 0.8))
        self._fineract.start()
        self._fineract.switch_faults_on(self._chance.randrange(2**31), self._plan)
        self._count_death("Fineract")

    def _restart_database(self) -> None:
        self._database.crash_and_start()
        self._count_death("PostgreSQL")

    def _cut_connections(self) -> None:
        """End half of the posters' sessions: before their commit, after it, while they wait."""
        with connect(self._url, autocommit=True) as conn:
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid() and random() < 0.5"
            )
        self._count_death("sessions")

    def _count_death(self, who: str) -> None:
        if who:
            self.figures.kills += 1
            self.figures.deaths[who] += 1

    def _compare(self) -> None:
        """Fineract's standing repayments against the payments, amount by amount; then the ledger's own proof."""
        client = standin_client(self._fineract.url)
        booked: Counter[tuple[Decimal, str]] = Counter()
        for loan_id in self._loans:
            for transaction in client.loan_transactions(loan_id):
                if transaction["type"]["id"] == 2 and not transaction["manuallyReversed"]:
                    booked[Decimal(transaction["amount"]), loan_id] += 1
        expected = set(self._expected.items())
        self.figures.lost = len(expected - booked.keys())
        self.figures.doubles = booked.total() - len(booked.keys() & expected)
        with connect(self._url, autocommit=True) as conn:
            left = conn.execute("select * from core.core_fineract_pending_transactions").fetchall()
            self.figures.open = len(left)
            for row in left[:5]:
                print(f"left open: {row}", flush=True)
            self.figures.differences = len(
                prove(conn, client, None, RunContext("faults", "proof")).differences
            )


@dataclass
class Database:
    """The warehouse's address, and its server where that is the campaign's own and may crash."""

    url: str
    server: postgres.PostgresServer | None = None
    log: Path = Path("/dev/null")
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def may_restart(self) -> bool:
        return self.server is not None

    def crash_and_start(self) -> None:
        """An immediate stop is PostgreSQL's own kill -9 of all its processes: the next start recovers."""
        assert self.server is not None
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()
        self.process = self.server.start(self.log)


def run_campaign(database: Database, folder: Path, *, rounds: int, seed: int, plan: Plan) -> Figures:
    """Play all rounds over a fresh, migrated warehouse; state and logs go to `folder`."""
    campaign = Campaign(database, folder, seed, plan)
    try:
        for number in range(rounds):
            campaign.play_round()
            print(
                f"round {number + 1}: {campaign.figures}, deaths {dict(campaign.figures.deaths)}", flush=True
            )
        return campaign.finish()
    finally:
        campaign.close()


@contextmanager
def own_database(folder: Path) -> Iterator[Database]:
    """A durable server of the campaign's own, with a migrated warehouse."""
    password = {postgres.SUPERUSER: secrets.token_hex(8)}
    server = postgres.PostgresServer(folder / "postgres", free_port(), password, dies_with_parent=True)
    log = folder / "postgres.log"
    database = Database("", server, log, server.start(log))
    try:
        server.databases.ensure_database("warehouse")
        database.url = server.databases.url("warehouse")
        migrate(database.url)
        yield database
    finally:
        assert database.process is not None
        postgres.stop(database.process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--payments", type=int, default=200, help="of each round")
    parser.add_argument(
        "--kills", type=int, default=8, help="of each round, and more that come by themselves"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    plan = Plan(arguments.payments, arguments.kills)
    with tempfile.TemporaryDirectory(prefix="turno-faults-") as name, own_database(Path(name)) as database:
        figures = run_campaign(database, Path(name), rounds=arguments.rounds, seed=arguments.seed, plan=plan)
    print(f"open={figures.open} differences={figures.differences} deaths={dict(figures.deaths)}")
    print(figures)
    sys.exit(0 if figures.clean else 1)


if __name__ == "__main__":
    main()
