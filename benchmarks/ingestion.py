"""Ingestion of a lender's CSV, S3 to RAW with every check on, beside a bare COPY of the rows it ends in.

The peer gets the rows as they stand in RAW after the load, in COPY's own text format, and writes them to the same
indexed table on the same server. ROWS sets the number of rows; PEERS=pandas,dlt adds what these take for the same rows
(`peers`, in an environment of its own).
"""

import json
import os
import random
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import peers
from benchmarks.services import REGION, postgres_server, s3_server, warehouse
from local_stack.databases import Databases
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import Role, connect

BUCKET = "turnofile"
KEY = "lenders/gb/nach_response/benchmark.csv"
ROWS = 1_000_000
MANDATES = 50_000
_TITLES = "GB FINANCE LIMITED,,,,,,,\r\nNACH DEBIT RESPONSE,,,,,,,\r\nCurrency: INR,,,,,,,\r\n"
_HEADINGS = (
    "Sr. No.,UMRN,Amount (Rs.),Settlement Date,Status,Return Reason Code,Return Reason,Transaction Reference"
)
_RETURNED, _REPEATED, _UNREADABLE = (7, 57), (31,), (77,)
"""Of every hundred rows."""
_COLUMNS = (
    "loan_id, amount, date, status, charge, note, payment_id, sub_reference_id, source_file, lender, _kind, _umrn, "
    "_file_id, _row_number, _mapping_version"
)
_MANDATES = """
insert into raw.raw_umrn_master (umrn, loan_id, lender, valid_from, loaded_by_run)
select 'HDFC7' || lpad(n::text, 15, '0'), 'GB' || lpad(n::text, 6, '0'), 'gb', date '2025-01-01', 'benchmark'
from generate_series(1, %s) as n
"""


def run() -> Mapping[str, float | int]:
    """Load, then COPY the same rows; `vs_copy` is the COPY's seconds over the load's."""
    rows = int(os.environ.get("ROWS", ROWS))
    with (
        TemporaryDirectory(prefix="turno-bench-") as folder,
        postgres_server() as databases,
        s3_server() as s3_url,
    ):
        file = Path(folder) / "lender.csv"
        write_lender_file(file, rows)
        _prepare(databases, s3_url, file)
        print(f"{rows} rows, {file.stat().st_size / 1e6:.0f} MB of CSV", flush=True)
        load = _in_own_process(databases.url("ours", Role.INGESTION), s3_url)
        print(f"load: {load}", flush=True)
        standard = Path(folder) / "standard.copy"
        _export(databases.url("ours"), standard)
        copy_seconds = _bare_copy(databases.url("peer"), standard)
        print(f"bare COPY: {copy_seconds:.2f} s", flush=True)
        figures: dict[str, float | int] = {
            "rows": rows,
            "accepted": load["accepted"],
            "seconds": load["seconds"],
            "copy_seconds": copy_seconds,
            "vs_copy": copy_seconds / load["seconds"],
            "rss_mb": load["rss_mb"],
        }
        for peer in filter(None, os.environ.get("PEERS", "").split(",")):
            seconds = peers.measure(peer, databases.url(peer), standard, _COLUMNS)
            print(f"{peer}: {seconds:.2f} s", flush=True)
            figures[f"vs_{peer}"] = seconds / load["seconds"]
        return figures


def write_lender_file(path: Path, rows: int) -> None:
    """A NACH response of GB's: of a hundred rows two returned, one unreadable, one repeated; amounts as 5,499.00."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{_TITLES}{_HEADINGS}\r\n")
        file.writelines(_lines(rows))
        file.write("Total,,,,,,,\r\nThis is a computer generated statement,,,,,,,\r\n")


def _lines(rows: int) -> Iterator[str]:
    chance = random.Random(20260105)  # noqa: S311  # sample data
    first = date(2026, 1, 1)
    days = [(first + timedelta(days=n)).strftime("%d/%m/%Y") for n in range(90)]
    for number in range(1, rows + 1):
        paise = chance.randrange(50_000, 2_500_000)
        amount = f"{paise // 100:,}.{paise % 100:02d}"
        lot = number % 100
        status = "Returned" if lot in _RETURNED else "Success"
        reference = number - 1 if lot in _REPEATED else number
        day = "8 January" if lot in _UNREADABLE else days[chance.randrange(90)]
        umrn = f"HDFC7{chance.randrange(1, MANDATES + 1):015d}"
        amount = f'"{amount}"' if "," in amount else amount
        yield f"{number},{umrn},{amount},{day},{status},,,NCH{reference:012d}\r\n"


def _prepare(databases: Databases, s3_url: str, file: Path) -> None:
    """Two warehouses alike, and the file in S3."""
    lenders = load_lenders()
    for name in ("ours", "peer", *peers.NAMES):
        with connect(warehouse(databases, name)) as conn:
            apply_lenders(conn, lenders)
            conn.execute(_MANDATES, (MANDATES,))
            conn.commit()
            conn.autocommit = True
            conn.execute("vacuum analyze")
    client = _s3(s3_url)
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    client.upload_file(Filename=str(file), Bucket=BUCKET, Key=KEY)


def _s3(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


def _in_own_process(database_url: str, s3_url: str) -> dict[str, Any]:
    """What a process says that does nothing but this load: its memory is the load's."""
    command = [sys.executable, "-m", "benchmarks.ingestion", database_url, s3_url]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return answer


def load(database_url: str, s3_url: str) -> dict[str, Any]:
    """Load the file that stands in S3, as the DAG's task does."""
    from turno_lms.domain.runs import RunContext
    from turno_lms.ingestion.files import describe_file
    from turno_lms.ingestion.load import ingest_file

    lender, s3 = load_lenders()["gb"], _s3(s3_url)
    with connect(database_url) as conn:
        file = describe_file(s3, BUCKET, lender, KEY)
        started = time.perf_counter()
        report = ingest_file(conn, s3, lender, file, RunContext("benchmark", "benchmark"))
        seconds = time.perf_counter() - started
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"seconds": seconds, "accepted": report.rows_accepted, "rss_mb": rss_mb, "state": report.state}


def _export(url: str, path: Path) -> None:
    query = sql.SQL("copy (select {} from raw.raw_payment_file order by _row_number) to stdout")
    with connect(url) as conn, path.open("wb") as target:
        copying = conn.cursor().copy(query.format(sql.SQL(_COLUMNS)))
        with copying as copy:
            target.writelines(bytes(block) for block in copy)


def _bare_copy(url: str, path: Path) -> float:
    statement = sql.SQL("copy raw.raw_payment_file ({}) from stdin").format(sql.SQL(_COLUMNS))
    with psycopg.connect(url) as conn:
        started = time.perf_counter()
        with path.open("rb") as source, conn.cursor() as cursor, cursor.copy(statement) as copy:
            while block := source.read(1 << 20):
                copy.write(block)
        conn.commit()
        return time.perf_counter() - started


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1], sys.argv[2])))
