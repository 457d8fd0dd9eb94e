"""Which DAGs there are, and what every one of them must say: governance by test."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from turno_lms.lenders.registry import load_lenders

if TYPE_CHECKING:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.sdk import DAG

ROOT = Path(__file__).resolve().parents[2]
FIXED = {
    "load_umrn_master",
    "build_warehouse",
    "post_repayments",
    "post_manual_repayment",
    "decide_repayment",
    "reverse_repayment",
    "switch_posting",
    "reconcile_transactions",
    "reconcile_loans",
    "work_recon_exceptions",
    "land_settlement_reports",
    "maintain_warehouse",
    "watch_lender_files",
    "replay_lender_files",
    "resolve_rejected_rows",
    "hand_in_file",
    "sweep_gateways",
    "replay_webhooks",
    "run_los_operations",
    "decide_los_operation",
    "call_fineract",
    "show_loan",
    "check_loan_master",
    "settle_loan",
    "write_off_loan",
    "undo_resolution",
    "foreclose_loan",
    "advance_resolutions",
    "decide_resolution",
    "report_resolutions",
    "create_payment_links",
    "refresh_payment_links",
    "cancel_payment_links",
    "decide_held_payment",
}
EXPECTED = sorted(FIXED | {f"ingest__{slug}" for slug in load_lenders()})
HEAVY = ["polars", "pandas", "dbt", "openpyxl", "sqlglot"]

# what an asset-wise reader of the system must be able to rely on
PRODUCERS = {
    "lender_files_loaded": {
        *(f"ingest__{slug}" for slug in load_lenders()),
        "replay_lender_files",
        "resolve_rejected_rows",
    },
    "umrn_master_loaded": {"load_umrn_master"},
    "loans_snapshotted": {"reconcile_loans", "run_los_operations", "check_loan_master"},
    "manual_repayments_entered": {"post_manual_repayment"},
    "gateway_events_landed": {"sweep_gateways", "replay_webhooks"},
    "transactions_built": {"build_warehouse"},
    "transactions_reconciled": {"reconcile_transactions", "work_recon_exceptions"},
}
CONSUMERS = {
    "build_warehouse": {
        "lender_files_loaded",
        "umrn_master_loaded",
        "loans_snapshotted",
        "manual_repayments_entered",
        "gateway_events_landed",
        "transactions_reconciled",
    },
    "post_repayments": {"transactions_built"},
}

PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"dags": sorted(bag.dags), "modules": [name for name in sys.argv[2:] if name in sys.modules]}))
"""


def parse(folder: Path, manifest: Path, dag_id: str = "") -> dict[str, Any]:
    """What a fresh interpreter finds and loads when it parses the DAGs, for one DAG's task or for all."""
    context = (
        {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": dag_id, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "any"}
        if dag_id
        else {}
    )
    environment = os.environ | {"TURNO_DBT_MANIFEST": str(manifest)} | context
    command = [sys.executable, "-c", PARSE, str(folder), *HEAVY]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return answer


def test_the_bag_holds_exactly_these_dags(dag_bag: "DagBag") -> None:
    assert dag_bag.import_errors == {}
    assert sorted(dag_bag.dags) == EXPECTED
    assert len(EXPECTED) > len(FIXED), "no lender mapping was found"


def test_parsing_loads_nothing_heavy(manifest: Path) -> None:
    assert parse(ROOT / "dags", manifest) == {"dags": EXPECTED, "modules": []}


def test_a_task_parses_only_its_own_lender(manifest: Path) -> None:
    found = parse(ROOT / "dags" / "ingest_lender_files.py", manifest, "ingest__gb")
    assert found["dags"] == ["ingest__gb"]


def test_a_missing_manifest_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from turno_lms.orchestration.dbt import manifest

    monkeypatch.setenv("TURNO_DBT_MANIFEST", str(tmp_path / "manifest.json"))
    with pytest.raises(FileNotFoundError, match="make it with: dbt parse"):
        manifest()


@pytest.fixture(params=EXPECTED)
def dag(request: pytest.FixtureRequest, dag_bag: "DagBag") -> "DAG":
    found: DAG = dag_bag.dags[request.param]
    return found


def test_every_dag_explains_itself(dag: "DAG") -> None:
    text = dag.doc_md or ""
    for part in ("### ", "**Starts:**", "**Run again:**", "**Run twice:**"):
        assert part in text, f"{dag.dag_id}: its doc lacks {part}"


def test_every_dag_has_an_owner_and_known_tags(dag: "DAG") -> None:
    from turno_lms.orchestration.defaults import OWNER, Tag

    assert dag.tags
    assert set(dag.tags) <= {str(tag) for tag in Tag}
    assert {task.owner for task in dag.tasks} == {OWNER}


def test_every_dag_runs_once_at_a_time_or_says_why_not(dag: "DAG") -> None:
    """Side by side run ingestion, where a person's run must not wait for a sensor, and what waits a day for an approval."""
    waits = any(task.task_id.startswith("wait_for") for task in dag.tasks) or any(
        task.task_id == "record_decision" for task in dag.tasks
    )
    assert (dag.max_active_runs > 1) == waits
    assert dag.catchup is False
    assert dag.rerun_with_latest_version is True


@pytest.mark.parametrize(
    ("crons", "hours"),
    [
        (("30 8 * * *",), 24),
        (("30 8 * * *", "0 9 * * *"), 23.5),  # 09:00 to 08:30 of the next day
        (("0 9 * * 1",), 7 * 24),
        (("0 9 * * *", "0 9 1 * *"), 24),  # the monthly run coincides with a daily one
        ((), 0),
    ],
)
def test_a_run_waits_until_the_next_one_takes_over(crons: tuple[str, ...], hours: float) -> None:
    from turno_lms.orchestration.defaults import longest_gap

    assert longest_gap(*crons).total_seconds() == hours * 3600


@pytest.mark.parametrize(
    ("run_type", "waits"), [("scheduled", "True"), ("backfill", "False"), ("manual", "False")]
)
def test_only_a_run_of_the_clock_waits_for_a_file(dag_bag: "DagBag", run_type: str, waits: str) -> None:
    """A backfill over a month takes what is there in its first run; the others find nothing and end."""
    from types import SimpleNamespace

    from airflow.utils.types import DagRunType

    sensor = dag_bag.dags["ingest__gb"].get_task("wait_for_file")
    names = {
        "scheduled": DagRunType.SCHEDULED,
        "backfill": DagRunType.BACKFILL_JOB,
        "manual": DagRunType.MANUAL,
    }
    context = {"dag_run": SimpleNamespace(run_type=names[run_type])}
    assert str(sensor.render_template(sensor.wait, context)) == waits


def test_every_task_retries_and_ends(dag: "DAG") -> None:
    for task in dag.tasks:
        assert task.retries >= 1, task.task_id
        assert task.retry_delay.total_seconds() >= 10, task.task_id
        waits_for_a_person = getattr(task, "response_timeout", None)
        assert task.execution_timeout or waits_for_a_person, task.task_id


def test_tasks_that_share_something_scarce_have_a_pool(dag: "DAG") -> None:
    pools = json.loads((ROOT / "deploy" / "pools.json").read_text(encoding="utf-8"))
    for task in dag.tasks:
        assert task.pool == "default_pool" or task.pool_slots <= pools[task.pool]["slots"], task.task_id
        if type(task).__module__.startswith("cosmos."):
            assert task.pool == "dbt", task.task_id
        if task.task_id in {"post_chunk", "prove", "snapshot_loans"}:
            assert task.pool in {"fineract_write", "fineract_read"}, task.task_id
        if task.task_id == "ingest_file":
            assert task.pool == "warehouse_heavy"
        if task.task_id == "wait_for_file":
            assert task.pool == "file_wait"


def test_the_pools_are_the_ones_the_code_names() -> None:
    from turno_lms.orchestration.defaults import Pool

    pools = json.loads((ROOT / "deploy" / "pools.json").read_text(encoding="utf-8"))
    assert set(pools) == {str(pool) for pool in Pool}
    assert pools["dbt"]["slots"] == 1


def test_posting_fills_the_pool_and_no_more(dag_bag: "DagBag") -> None:
    pools = json.loads((ROOT / "deploy" / "pools.json").read_text(encoding="utf-8"))
    chunk = dag_bag.dags["post_repayments"].get_task("post_chunk")
    chunks = 4  # CHUNKS of the DAG file: 16 calls in flight
    assert chunks * chunk.pool_slots == pools["fineract_write"]["slots"]


def test_assets_are_emitted_where_they_are_promised(dag_bag: "DagBag") -> None:
    emitted: dict[str, set[str]] = {name: set() for name in PRODUCERS}
    for dag in dag_bag.dags.values():
        for task in dag.tasks:
            for outlet in task.outlets:
                emitted[outlet.name].add(dag.dag_id)
    assert emitted == PRODUCERS


def test_dags_wait_for_any_of_the_assets_they_are_promised(dag_bag: "DagBag") -> None:
    from airflow.sdk import AssetAny

    conditions = {dag.dag_id: dag.timetable.asset_condition for dag in dag_bag.dags.values()}
    waited = {dag_id: AssetAny(condition).objects for dag_id, condition in conditions.items() if condition}
    flat = {
        dag_id: {asset.name for part in parts for asset in getattr(part, "objects", [part])}
        for dag_id, parts in waited.items()
    }
    assert flat == CONSUMERS
    assert isinstance(conditions["build_warehouse"], AssetAny)


def test_schedules_are_in_indian_time(dag: "DAG") -> None:
    if dag.schedule is None:
        return
    timetable = getattr(dag.timetable, "timetable", dag.timetable)
    if not timetable.can_be_scheduled:
        assert "by the form only" in (dag.doc_md or "")
        return
    for part in getattr(timetable, "timetables", [timetable]):
        assert str(getattr(part, "_timezone", None) or part.timezone) == "Asia/Kolkata"


def test_every_data_test_runs_with_the_last_of_its_models(manifest: Path) -> None:
    """A test that no model's build selects (`indirect_selection: buildable`) would never run in a DAG."""
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"]

    def above(name: str) -> set[str]:
        parents = set(nodes.get(name, {}).get("depends_on", {}).get("nodes", []))
        return parents.union(*map(above, parents))

    tests = {
        name: set(node["depends_on"]["nodes"])
        for name, node in nodes.items()
        if node["resource_type"] == "test"
    }
    assert tests
    for name, parents in tests.items():
        models = [parent for parent in parents if parent.startswith("model.")]
        assert any(parents <= above(model) | {model} for model in models), name


def test_every_dbt_model_belongs_to_exactly_one_dag(dag_bag: "DagBag", manifest: Path) -> None:
    nodes = json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
    models = sorted(node["name"] for node in nodes if node["resource_type"] == "model")
    tasks = [
        task.extra_context["dbt_node_config"]["resource_name"]
        for dag in dag_bag.dags.values()
        for task in dag.tasks
        if type(task).__name__.startswith("DbtBuild")
    ]
    assert models
    assert sorted(tasks) == models


BROKEN = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors}))
"""


def test_a_broken_mapping_breaks_only_its_own_dag_and_is_an_import_error_with_its_line(
    manifest: Path, tmp_path: Path
) -> None:
    """The real DagBag over the real folder: the other DAGs are there, and the error stands in a file without DAGs."""
    mappings = ROOT / "include" / "lender_mappings"
    for path in mappings.glob("*.yml"):
        text = path.read_text(encoding="utf-8")
        broken = text.replace("post_from:", "post_form:", 1) if path.stem == "gb" else text
        (tmp_path / path.name).write_text(broken, encoding="utf-8")
    environment = os.environ | {"TURNO_DBT_MANIFEST": str(manifest), "TURNO_LENDER_MAPPINGS": str(tmp_path)}
    command = [sys.executable, "-c", BROKEN, str(ROOT / "dags")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer = json.loads(run.stdout.splitlines()[-1])
    assert answer["dags"] == [dag_id for dag_id in EXPECTED if dag_id != "ingest__gb"]
    ((file, error),) = answer["errors"].items()
    assert file.endswith("dags/check_lender_mappings.py")
    line = (mappings / "gb.yml").read_text(encoding="utf-8").split("post_from:")[0].count("\n") + 1
    assert f"gb.yml:{line}: unknown key post_form; did you mean post_from?" in error
    assert "ugro.yml" not in error
