"""Parsing the DAG file of 500 lenders, beside the fixed cost of its imports.

Each side is a process that runs dags/ingest_lender_files.py once, as the DAG processor does, and says how much
processor time that took: with 500 mappings, and with none. `parse_ratio` is the one over the other, medians of several
runs in turn.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
LENDERS = 500
RUNS = 5
_PARSE = """
import runpy, sys, time
started = time.process_time()
runpy.run_path(sys.argv[1])
print(time.process_time() - started)
"""


def run() -> Mapping[str, float | int]:
    """Parse in turn with and without mappings."""
    with TemporaryDirectory(prefix="turno-bench-") as folder:
        many, none = Path(folder) / "many", Path(folder) / "none"
        many.mkdir()
        none.mkdir()
        write_mappings(many, LENDERS)
        home = Path(folder) / "airflow"
        seconds = [(parse(many, home), parse(none, home)) for _ in range(RUNS)]
    with_lenders, imports = (median(side) for side in zip(*seconds, strict=True))
    return {
        "lenders": LENDERS,
        "seconds": with_lenders,
        "import_seconds": imports,
        "parse_ratio": with_lenders / imports,
    }


def write_mappings(folder: Path, lenders: int) -> None:
    """Copies of GB's mapping, each with a slug, a product and a prefix of its own."""
    shipped = (ROOT / "include" / "lender_mappings" / "gb.yml").read_text(encoding="utf-8")
    for number in range(lenders):
        slug = f"lender{number:04d}"
        own = re.sub(r"^lender: gb$", f"lender: {slug}", shipped, flags=re.MULTILINE)
        own = own.replace("product_id: 1\n", f"product_id: {1000 + number}\n")
        own = own.replace("lenders/gb/", f"lenders/{slug}/")
        (folder / f"{slug}.yml").write_text(own, encoding="utf-8")


def parse(mappings: Path, home: Path) -> float:
    """Processor seconds of one run of the DAG file with these mappings, in a process of its own."""
    environment = os.environ | {
        "TURNO_HOME": str(ROOT),
        "TURNO_LENDER_MAPPINGS": str(mappings),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "PYTHONPATH": str(ROOT / "plugins"),
    }
    command = [sys.executable, "-c", _PARSE, str(ROOT / "dags" / "ingest_lender_files.py")]
    said = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return float(said.stdout.splitlines()[-1])
