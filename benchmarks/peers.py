"""The peers of ingestion: what pandas and dlt take to bring the same standard rows into PostgreSQL.

Run in an environment of their own (`.turno/peers-venv`), made from peers.txt: `python benchmarks/peers.py NAME URL FILE
COLUMNS` prints the seconds from opening the file to the last commit. Each goes its quickest documented way. dlt makes
its table itself, without the indexes that the others have to fill.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_ROOT = Path(__file__).parents[1]
NAMES = ("pandas", "dlt")
_NUMBERS = ("_file_id", "_row_number")


def measure(name: str, url: str, file: Path, columns: str) -> float:
    """The seconds of one peer, in its own environment and process."""
    if name not in NAMES:
        raise SystemExit(f"{name} is no peer; there are {', '.join(NAMES)}")
    command = [str(_environment()), __file__, name, url, str(file), columns]
    said = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"},
    )
    return float(said.stdout.splitlines()[-1])


def _environment() -> Path:
    """The interpreter of exactly what peers.txt lists."""
    state = Path(os.environ.get("TURNO_STATE") or _ROOT / ".turno")
    uv, venv = state / "boot" / "bin" / "uv", state / "peers-venv"
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([uv, "--quiet", "venv", "--python", sys.executable, venv], check=True)
    lock = Path(__file__).with_suffix(".txt")
    subprocess.run([uv, "--quiet", "pip", "sync", "--require-hashes", "--python", python, lock], check=True)
    return python


def _pandas(url: str, file: Path, columns: list[str]) -> None:
    import pandas as pd
    import sqlalchemy

    types = {name: "int64" if name in _NUMBERS else "str" for name in columns}
    table = pd.read_csv(file, sep="\t", names=columns, dtype=types, na_values=["\\N"], keep_default_na=False)
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as conn:
        table.to_sql("raw_payment_file", conn, schema="raw", if_exists="append", index=False)


def _dlt(url: str, file: Path, columns: list[str]) -> None:
    import dlt
    import pyarrow as pa
    from pyarrow import csv

    def rows() -> Iterator[Any]:
        reader = csv.open_csv(
            file,
            read_options=csv.ReadOptions(column_names=columns),
            parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=["\\N"],
                strings_can_be_null=True,
            ),
        )
        for batch in reader:
            yield pa.Table.from_batches([batch])

    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "benchmark", destination=dlt.destinations.postgres(url), dataset_name="peer", pipelines_dir=folder
        )
        pipeline.run(rows(), table_name="payment", write_disposition="append", loader_file_format="csv")


def main(name: str, url: str, file: str, columns: str) -> None:
    """Bring the rows in, and print the seconds that took: imports count for nobody."""
    if name == "pandas":
        import pandas  # noqa: F401
        import sqlalchemy  # noqa: F401
    else:
        import dlt  # noqa: F401
        import pyarrow  # noqa: F401
    started = time.perf_counter()
    {"pandas": _pandas, "dlt": _dlt}[name](url, Path(file), columns.split(", "))
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])
