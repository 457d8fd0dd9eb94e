"""The restore drill: a warehouse is restored to a moment in the middle of posting, with the scripts of deploy/.

Fineract goes on from where it was: it has repayments that the restored ledger knows nothing of. Posting again must find
them, send the rest, and leave every rupee in Fineract once. What it prints stands in the runbook.
"""

import os
import secrets
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from local_stack import postgres
from local_stack.processes import free_port, spawn, stop_child, wait_until
from tests.faults.campaign import FineractServer
from tests.fineract.loan_book import make_loans, standin_client
from tests.posting.payments import add_payment, create_transaction_table
from turno_lms.domain.runs import RunContext
from turno_lms.posting.proof import prove
from turno_lms.warehouse.connection import Row, connect
from turno_lms.warehouse.migrate import migrate

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
LOANS, PAYMENTS = 10, 400
LATENCY_MS = 40
"""Of a repayment, so that there is a middle."""


@dataclass
class Site:
    """A server that archives its log, its backups, and Fineract beside it."""

    folder: Path
    fineract: FineractServer
    server: postgres.PostgresServer

    @property
    def url(self) -> str:
        """The warehouse."""
        return self.server.databases.url("warehouse")

    def script(self, name: str, *words: str) -> str:
        """Run one of deploy/'s scripts as the database image does; returns its last line."""
        environment = {
            "TURNO_WAL_ARCHIVE": str(self.folder / "wal"),
            "TURNO_BASE_BACKUPS": str(self.folder / "base"),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.server.port),
            "PGPASSWORD": self.server.passwords[postgres.SUPERUSER],
        }
        printed = self.server.run_as_server(["sh", str(DEPLOY / name), *words], environment)
        line = printed.strip().rpartition("\n")[2]
        print(line, flush=True)
        return line

    def counts(self) -> Row:
        """How far posting is, by the ledger."""
        query = """
            select
                (select count(*) from core.core_transaction_data_processed where outcome = 'posted') as posted,
                (select count(*) from core.core_fineract_pending_transactions) as pending
        """
        with connect(self.url) as conn:
            row = conn.execute(query).fetchone()
        assert row is not None
        return row

    def in_fineract(self) -> Counter[Decimal]:
        """The repayments that stand in Fineract, by amount; each payment has an amount of its own."""
        client = standin_client(self.fineract.url)
        return Counter(
            Decimal(transaction["amount"])
            for number in range(LOANS)
            for transaction in client.loan_transactions(f"R{number:03}")
            if transaction["type"]["id"] == 2 and not transaction["manuallyReversed"]
        )

    def post(self) -> list[str]:
        """The command of a poster."""
        where = ["--warehouse", self.url, "--fineract", self.fineract.url]
        return [sys.executable, "-m", "tests.faults.poster", *where]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which the server's user may write."""
    for name in ("wal", "base", "restored"):
        path = tmp_path / name
        path.mkdir()
        path.chmod(0o777)
    return tmp_path


@pytest.fixture
def site(folder: Path) -> Iterator[Site]:
    archive = f"TURNO_WAL_ARCHIVE={folder / 'wal'} sh {DEPLOY / 'archive-wal.sh'} %p %f"
    settings = {"archive_mode": "on", "archive_command": archive, "archive_timeout": "5"}
    password = {postgres.SUPERUSER: secrets.token_hex(8)}
    server = postgres.PostgresServer(
        folder / "data", free_port(), password, dies_with_parent=True, settings=settings
    )
    process = server.start(folder / "postgres.log")
    fineract = FineractServer(folder)
    try:
        server.databases.ensure_database("warehouse")
        yield Site(folder, fineract, server)
    finally:
        fineract.stop()
        postgres.stop(process)


def test_restored_to_the_middle_of_posting_every_rupee_is_in_fineract_once(site: Site) -> None:
    amounts = fill(site)
    site.script("base-backup.sh")
    wait_for_next_second()  # the moment must be later than the backup's name says

    # post, and note a moment in the middle
    poster = spawn(site.post(), log=site.folder / "poster.log")
    assert wait_until(lambda: site.counts()["posted"] > PAYMENTS // 4, seconds=120), site.counts()
    moment = datetime.now(UTC)
    at_moment = site.counts()
    assert wait_until(lambda: site.counts()["posted"] > PAYMENTS // 2, seconds=120), site.counts()
    stop_child(poster)
    lost = site.counts()
    with connect(site.url, autocommit=True) as conn:
        conn.execute("select pg_switch_wal()")
        archived = conn.execute("select pg_walfile_name(pg_current_wal_lsn()) as name").fetchone()
        assert archived is not None
        assert wait_until(lambda: archive_holds_everything_before(site, archived["name"]), seconds=60)
    booked = sum(site.in_fineract().values())
    print(
        f"moment {moment:%H:%M:%S.%f}Z: posted={at_moment['posted']}; at the end posted={lost['posted']}, in Fineract {booked}"
    )

    # the disaster: another server is started on what backup and archive give
    began = time.monotonic()
    site.script("restore-to.sh", f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z", str(site.folder / "restored" / "data"))
    restored = Site(
        site.folder, site.fineract,
        postgres.PostgresServer(
            site.folder / "restored" / "data", free_port(), site.server.passwords, dies_with_parent=True
        ),
    )  # fmt: skip
    process = restored.server.start(site.folder / "restored.log")
    try:
        with connect(restored.url) as conn:
            assert wait_until(lambda: is_promoted(conn), seconds=60)
        took = time.monotonic() - began
        after = restored.counts()
        # the ledger is behind Fineract, which is what a restore means
        assert PAYMENTS // 4 < after["posted"] < lost["posted"]
        assert abs(after["posted"] - at_moment["posted"]) <= 20

        again = spawn(restored.post(), log=site.folder / "poster-again.log")
        assert wait_until(lambda: again.poll() is not None, seconds=300)
        assert again.returncode == 0, (site.folder / "poster-again.log").read_text()
        standing = restored.in_fineract()
        with connect(restored.url, autocommit=True) as conn:
            client = standin_client(site.fineract.url)
            report = prove(conn, client, None, RunContext("restore", "drill"))
        doubles, missing = standing - amounts, amounts - standing
        print(
            f"restore drill: seconds={took:.1f} posted_at_moment={at_moment['posted']} posted_after_restore={after['posted']} "
            f"in_fineract_before={booked} payments={PAYMENTS} in_fineract={standing.total()} doubles={doubles.total()} "
            f"lost={missing.total()} differences={len(report.differences)}"
        )
        assert (doubles, missing) == (Counter(), Counter())
        assert report.differences == []
        assert restored.counts() == {"posted": PAYMENTS, "pending": 0}
    finally:
        postgres.stop(process)


def fill(site: Site) -> Counter[Decimal]:
    """Loans in Fineract, payments in the warehouse; returns the amounts."""
    make_loans(
        standin_client(site.fineract.url), [f"R{number:03}" for number in range(LOANS)], Decimal(1_000_000)
    )
    migrate(site.url)
    amounts: Counter[Decimal] = Counter()
    with connect(site.url) as conn:
        create_transaction_table(conn)
        for number in range(PAYMENTS):
            amount = Decimal(100_00 + number) / 100
            add_payment(conn, f"R{number % LOANS:03}", f"{amount:.2f}")
            amounts[amount] += 1
    import requests

    rule = {"requests": "repayment", "latency_ms": LATENCY_MS}
    requests.post(f"{site.fineract.standin_url}/rules", json=rule, timeout=5).raise_for_status()
    return amounts


def wait_for_next_second() -> None:
    """Backups are named by the second."""
    time.sleep(1.1)


def archive_holds_everything_before(site: Site, name: str) -> bool:
    """Whether all segments up to the one now being written are in the archive."""
    pieces = sorted(entry for entry in os.listdir(site.folder / "wal") if len(entry) == 24)
    return bool(pieces) and int(pieces[-1], 16) >= int(name, 16) - 1


def is_promoted(conn: object) -> bool:
    """Whether recovery has ended."""
    row = conn.execute("select pg_is_in_recovery() as recovering").fetchone()  # type: ignore[attr-defined]
    return row == {"recovering": False}


def test_a_restore_refuses_what_it_cannot_do(site: Site) -> None:
    from local_stack.processes import StackError

    full = site.folder / "restored" / "full"
    full.mkdir()
    (full / "something").touch()
    with pytest.raises(StackError, match="is not empty"):
        site.script("restore-to.sh", "latest", str(full))
    site.script("base-backup.sh")
    with pytest.raises(StackError, match="no backup in .* is older"):
        site.script("restore-to.sh", "2026-01-01T00:00:00Z", str(site.folder / "restored" / "data"))
    with pytest.raises(StackError, match="give the moment as"):
        site.script("restore-to.sh", "yesterday", str(site.folder / "restored" / "data"))
