"""The rooms of DESIGN section 2: arrows point one way, money is never a float, DAG files only declare."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "plugins" / "turno_lms"

BASEMENT = {"domain"}
SERVICES = BASEMENT | {"warehouse", "fineract", "lenders", "approvals"}
AREAS = {
    "gateways",
    "identity",
    "ingestion",
    "los",
    "payment_links",
    "posting",
    "reconciliation",
    "resolutions",
}
MAY_IMPORT = {
    "domain": set[str](),
    "warehouse": BASEMENT,
    "fineract": BASEMENT | {"warehouse"},
    "lenders": BASEMENT | {"warehouse"},
    "approvals": BASEMENT | {"warehouse"},
    **dict.fromkeys(AREAS, SERVICES),
    "orchestration": SERVICES | AREAS,  # the upper part of the DAGs themselves
    "metrics": BASEMENT | {"warehouse"},  # asks every table, imports no area
    "console": SERVICES | AREAS | {"orchestration"},  # looks everywhere, is imported by nobody
}
"""Room to the rooms it may import besides itself. A new room is added here on purpose."""

MONEY_ROOMS = (
    "domain", "posting", "identity", "ingestion", "reconciliation", "fineract", "approvals", "gateways", "resolutions", "payment_links", "console",
)  # fmt: skip
DURATION = re.compile(
    r"second|timeout|wait|delay|interval|backoff|monotonic"  # named as one
    r"|\b(connect|read|settling|every|lease_calls|progress_every|send_until): float"  # of Timeouts and PostingSettings
    r"|return longest \* random|return Head\(lease, _intent|started: float",  # a random back-off; an intent that is due in 0 seconds
    re.IGNORECASE,
)
"""Floats that measure time. Anything new that is a float in a money room must be named as time or listed here."""
SQL = re.compile(r"\s*(select|insert into|update|delete from|with|create|alter|truncate)\s", re.IGNORECASE)


def python_files(folder: Path) -> list[Path]:
    files = sorted(folder.rglob("*.py"))
    assert files, f"no Python file in {folder}"
    return files


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[str]:
    """Full names of everything a file imports, at module level or inside functions."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import; write the full name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_imported(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("turno_lms.")}


def top_level(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports(path)}


def test_every_room_is_known() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(MAY_IMPORT)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_arrows_point_one_way(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    wrong = {
        str(path.relative_to(ROOT)): sorted(rooms_imported(path) - allowed)
        for path in python_files(PACKAGE / room)
        if rooms_imported(path) - allowed
    }
    assert not wrong


def test_the_domain_imports_only_the_standard_library() -> None:
    for path in python_files(PACKAGE / "domain"):
        assert top_level(path) <= set(sys.stdlib_module_names) | {"turno_lms"}, path


def test_the_receiver_needs_neither_airflow_nor_the_pipelines() -> None:
    for path in python_files(ROOT / "webhook_receiver"):
        assert not top_level(path) & {"airflow", "turno_lms", "local_stack", "cosmos", "dbt"}, path


def test_what_runs_in_production_does_not_import_the_local_stack() -> None:
    for path in python_files(PACKAGE) + python_files(ROOT / "dags"):
        if path != PACKAGE / "cli.py":  # mounts the stack's commands where the package is there
            assert "local_stack" not in top_level(path), path


def test_dag_files_import_only_airflow_and_our_rooms() -> None:
    for path in python_files(ROOT / "dags"):
        assert top_level(path) <= set(sys.stdlib_module_names) | {"airflow", "turno_lms"}, path
        assert not top_level(path) & {"urllib", "http", "sqlite3", "csv", "xml", "subprocess"}, path


def test_dag_files_hold_no_sql() -> None:
    for path in python_files(ROOT / "dags"):
        tree = tree_of(path)
        constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        sql = [node.lineno for node in constants if isinstance(node.value, str) and SQL.match(node.value)]
        assert not sql, f"{path} holds SQL in lines {sql}"


def test_dag_files_are_short_and_have_names_dbt_does_not_import() -> None:
    for path in python_files(ROOT / "dags"):
        assert len(path.read_text(encoding="utf-8").splitlines()) < 100, path
        assert not path.name.startswith("dbt_"), f"{path}: dbt imports files of this name as its plugins"


def floats(source: str) -> list[str]:
    """The lines that use a float: a literal, the type, a conversion. Spans of time may be floats and are named so."""
    lines = source.splitlines()
    numbers = {
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    }
    money = [number for number in sorted(numbers) if not DURATION.search(lines[number - 1])]
    return [f"{number}: {lines[number - 1].strip()}" for number in money]


@pytest.mark.parametrize("room", MONEY_ROOMS)
def test_money_is_never_a_float(room: str) -> None:
    for path in python_files(PACKAGE / room):
        assert floats(path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize(
    "line", ["amount = 10.5", "def f(amount: float) -> None: ...", "total = float('5499.00')"]
)
def test_the_float_check_finds_floats(line: str) -> None:
    assert floats(line) == [f"1: {line}"]


def test_the_float_check_lets_durations_pass() -> None:
    assert floats("TIMEOUT_SECONDS = 2.5") == []
