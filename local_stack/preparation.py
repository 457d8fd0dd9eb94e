"""What must be true before Airflow starts: databases, roles, tables, pools, lenders and dbt's manifest.

Each step is skipped when a stamp says that nothing it depends on has changed.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from local_stack.environment import MAPPINGS, StackEnvironment
from local_stack.folder import ROOT
from local_stack.processes import StackError
from local_stack.services import airflow_settings, base_environment

POOLS = ROOT / "deploy" / "pools.json"
DBT_PROJECT = ROOT / "include" / "dbt"


def prepare_warehouse(stack: StackEnvironment) -> str:
    """Make the warehouse, bring it to its newest version, apply the lender mappings."""
    from turno_lms.lenders.apply import apply_lenders
    from turno_lms.lenders.registry import load_lenders
    from turno_lms.los.apply import apply_operations
    from turno_lms.warehouse.connection import Role, connect
    from turno_lms.warehouse.migrate import migrate

    databases = stack.databases
    databases.ensure_role("turno_owner", may_create_roles=True)
    databases.ensure_database("warehouse", owner="turno_owner")
    owner_url = databases.url("warehouse", "turno_owner")
    migrate(owner_url)
    for role in Role:
        databases.ensure_role(role, may_create_roles=role is Role.OWNER)
    with connect(owner_url) as conn:
        apply_operations(conn)
        changes = apply_lenders(conn, load_lenders(MAPPINGS))
    return f"warehouse ready, {len(changes)} lender changes applied"


def prepare_airflow(stack: StackEnvironment) -> str:
    """Make or upgrade Airflow's metadata and its pools."""
    databases = stack.databases
    databases.ensure_role("airflow")
    databases.ensure_database("airflow", owner="airflow")
    versions = [
        version(f"apache-airflow-{part}") for part in ("core", "providers-fab")
    ]  # each has tables there
    stamp = f"airflow {' '.join(versions)}, pools {digest([POOLS])}"
    if databases.stamp("airflow") == stamp:
        return "Airflow's metadata is current"
    environment = base_environment(stack) | airflow_settings(stack)
    _run(
        [sys.executable, "-m", "local_stack.airflow_metadata", str(POOLS)],
        environment,
        stack.folder.log("prepare-airflow"),
    )
    databases.set_stamp("airflow", stamp)
    return "Airflow's metadata and pools ready"


def prepare_dbt(stack: StackEnvironment) -> str:
    """Make dbt's manifest, which Airflow reads its tasks from."""
    target = stack.folder.path / "dbt"
    stamp_file = target / "sources.sha256"
    sources = [
        file
        for file in DBT_PROJECT.rglob("*")
        if not {"target", "logs"} & set(file.relative_to(DBT_PROJECT).parts)
    ]
    stamp = f"dbt {version('dbt-core')} {digest(sources)}"
    if (
        (target / "manifest.json").exists()
        and stamp_file.exists()
        and stamp_file.read_text(encoding="ascii") == stamp
    ):
        return "dbt's manifest is current"
    command = [str(Path(sys.executable).with_name("dbt")), "parse", "--project-dir", str(DBT_PROJECT)]
    command += ["--profiles-dir", str(DBT_PROJECT), "--target-path", str(target), "--log-path", str(target)]
    _run(command, base_environment(stack), stack.folder.log("prepare-dbt"))
    stamp_file.write_text(stamp, encoding="ascii")
    return "dbt's manifest ready"


def prepare_external_bucket(stack: StackEnvironment) -> str:
    """Make the bucket on an S3 server that is not ours, if it is missing there."""
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("s3", endpoint_url=stack.s3_url)
    try:
        client.head_bucket(Bucket=stack.bucket)
    except ClientError:
        client.create_bucket(Bucket=stack.bucket)
    return f"bucket {stack.bucket} ready on {stack.s3_url}"


def digest(files: Iterable[Path]) -> str:
    """One number for the names and contents of files."""
    total = hashlib.sha256()
    for file in sorted(file for file in files if file.is_file()):
        total.update(f"{file.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _run(command: list[str], environment: dict[str, str], log: Path) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        code = subprocess.run(
            command, env=environment, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False
        )
    if code.returncode:
        tail = os.linesep.join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:])
        raise StackError(
            f"{Path(command[0]).name} {' '.join(command[1:3])} failed; the end of {log}:\n{tail}"
        )
