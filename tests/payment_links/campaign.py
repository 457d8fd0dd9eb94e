"""Links made by processes that are killed, at a gateway that fails: what exists in the end, counted on both sides.

`python -m tests.payment_links.campaign --links 10000` is the long form, on a PostgreSQL of its own.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.dbt.landing import AXLE, put_lender
from tests.faults.campaign import own_database
from tests.gateways.standin import Standin, running_standin
from tests.payment_links.linking_process import loan_ids
from turno_lms.warehouse.connection import WarehouseConnection, connect

RATES: Mapping[str, str] = {
    "hang_after": "0.02",
    "late": "0.02",
    "hang_before": "0.01",
    "error_after": "0.05",
    "error_before": "0.05",
    "bad_gateway": "0.03",
    "rate_limited": "0.05",
}
"""Share of the creations that each fault strikes; look-ups meet errors and 429s too."""
FIND_RATES: Mapping[str, str] = {"error_before": "0.05", "rate_limited": "0.05"}
_MOST_RUNS = 20


@dataclass
class Figures:
    """What came of a campaign: `duplicates` are loans with two payable links, `lost` rows and links that do not match."""

    links: int
    kills: int = 0
    runs: int = 0
    open: int = 0
    duplicates: int = 0
    lost: int = 0
    wrong_amounts: int = 0
    calls: int = 0
    look_ups: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    seconds: int = 0

    @property
    def clean(self) -> bool:
        """Whether every loan has its one link, of the right amount, and we know of it."""
        return self.open == self.links and not (self.duplicates or self.lost or self.wrong_amounts)

    def line(self) -> str:
        """One line for a program to read."""
        faults = ",".join(f"{name}:{count}" for name, count in sorted(self.faults.items()))
        figures = " ".join(f"{name}={value}" for name, value in asdict(self).items() if name != "faults")
        return f"links {figures} faults={faults or 'none'}"


def run_campaign(
    warehouse_url: str,
    standin: Standin,
    links: int,
    kills: int,
    *,
    gateway: str = "razorpay",
    rates: Mapping[str, str] = RATES,
    bug: str | None = None,
    seed: int = 7,
) -> Figures:
    """Have the links made, kill the maker on the way, count what there is in the end."""
    chance = random.Random(seed)  # noqa: S311  # repeatable trouble
    standin.calm()
    standin.limit(None, seed)
    for fault, rate in rates.items():
        standin.fault("create", fault, rate=rate)
    for fault, rate in FIND_RATES.items() if rates else ():
        standin.fault("find", fault, rate=rate)
    figures, started = Figures(links), time.monotonic()
    with connect(warehouse_url, autocommit=True) as conn:
        put_lender(conn, AXLE)
        marks = sorted(chance.randrange(links) for _ in range(kills))
        while figures.runs < _MOST_RUNS + kills:
            figures.runs += 1
            process = _start(warehouse_url, standin, gateway, links, bug)
            if marks:
                figures.kills += _kill_at(conn, process, marks.pop(0))
            elif process.wait(timeout=1800) != 0:
                raise RuntimeError("a process that nobody killed has failed")
            elif bug or not _left(conn):
                break
        if bug:  # one more, so that what was wrongly given up is planned again
            _start(warehouse_url, standin, gateway, links, bug).wait(timeout=300)
        _count(conn, standin, figures)
    figures.seconds = round(time.monotonic() - started)
    return figures


def _start(
    warehouse_url: str, standin: Standin, gateway: str, links: int, bug: str | None
) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.payment_links.linking_process", warehouse_url, standin.url]
    options = [
        "--gateway",
        gateway,
        "--links",
        str(links),
        *(["--bug", bug, "--patience-seconds", "2"] if bug else []),
    ]
    return subprocess.Popen(
        [*command, *options], cwd=Path(__file__).parents[2], env=os.environ | {"NO_PROXY": "*"}
    )


def _kill_at(conn: WarehouseConnection, process: "subprocess.Popen[bytes]", links_open: int) -> int:
    """SIGKILL as soon as so many links are open; 0 when the process has ended before."""
    while process.poll() is None:
        if _states(conn)["open"] >= links_open:
            process.kill()
            process.wait()
            return 1
        time.sleep(0.1)
    return 0


def _states(conn: WarehouseConnection) -> Counter[str]:
    rows = conn.execute("select state, count(*) as links from core.core_payment_link group by state")
    return Counter({row["state"]: row["links"] for row in rows})


def _left(conn: WarehouseConnection) -> int:
    states = _states(conn)
    return states["planned"] + states["sending"]


def _count(conn: WarehouseConnection, standin: Standin, figures: Figures) -> None:
    wanted = set(loan_ids(figures.links))
    there = [link for link in standin.links() if link["reference"].split("_")[0] in wanted]
    payable = Counter(link["reference"].split("_")[0] for link in there if link["status"] == "active")
    rows = conn.execute(
        "select reference, amount from core.core_payment_link where state = 'open'"
    ).fetchall()
    ours = {row["reference"]: int(row["amount"] * 100) for row in rows}
    figures.open = len(ours)
    figures.duplicates = sum(count > 1 for count in payable.values())
    figures.lost = len({link["reference"] for link in there} ^ set(ours))
    figures.wrong_amounts = sum(ours.get(link["reference"], link["paise"]) != link["paise"] for link in there)
    calls = conn.execute(
        "select count(*) as calls, count(*) filter (where method = 'GET') as look_ups from raw.raw_payment_link_call"
    ).fetchone()
    figures.calls, figures.look_ups = (calls or {})["calls"], (calls or {})["look_ups"]
    figures.faults = standin.counters()["faults"]


def main() -> None:
    """Run the long form and say what came of it; status 0 only if it is clean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--gateway", default="razorpay", choices=["razorpay", "cashfree"])
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        own_database(Path(folder)) as database,
        running_standin() as standin,
    ):
        figures = run_campaign(database.url, standin, given.links, given.kills, gateway=given.gateway)
    print(figures.line())
    sys.exit(not figures.clean)


if __name__ == "__main__":
    main()
