"""The dbt project run in this process against one warehouse of the session, emptied for each test that asks."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from local_stack.databases import Databases
from turno_lms.domain.runs import RunContext
from turno_lms.identity.assign import IdentityReport, assign_identities
from turno_lms.reconciliation.matches import ReconReport, record_matches
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

PROJECT = Path(__file__).parents[2] / "include" / "dbt"
DATABASE = "warehouse_for_dbt"
RUN = RunContext("build_warehouse", "manual__test")
MODELS = {
    "base.base_loan": "fineract_loan_id",
    "base.base_payment_file": "file_id, row_number",
    "base.base_razorpay_event": "lender, event_key, body_sha256",
    "base.base_cashfree_event": "lender, event_key, body_sha256",
    "base.base_gateway_payment": "gateway_payment_reference",
    "base.base_manual_repayment": "native_reference",
    "core.core_payment_sighting": "native_reference",
    "core.core_transaction_data": "posting_key",
    "core.core_loan_master": "fineract_loan_id",
}
"""The incremental models, each with its key."""

_EVERY_TABLE = """
select string_agg(format('%I.%I', schemaname, tablename), ', ') as tables
from pg_tables where schemaname in ('raw', 'base', 'core') and tablename <> 'core_warehouse_cluster'
"""


@dataclass
class DbtProject:
    """dbt in one warehouse, with the two Python steps between its groups of models."""

    conn: WarehouseConnection
    databases: Databases
    output: Path
    _manifest: Any = field(default=None)
    _sessions: dict[Role, WarehouseConnection] = field(default_factory=dict)

    def url(self, role: Role) -> str:
        """The warehouse's address for a role."""
        return self.databases.url(DATABASE, role)

    def session(self, role: Role) -> WarehouseConnection:
        """An autocommit connection with the rights that a role has in production."""
        if role not in self._sessions:
            self._sessions[role] = connect(self.url(role), autocommit=True)
        return self._sessions[role]

    def close(self) -> None:
        """End the roles' sessions."""
        for session in self._sessions.values():
            session.close()

    def unit_tests(self, *models: str) -> Any:
        """Run the unit tests of models, one by one: some Pythons (3.11.7) fail to parse literals in two threads at once."""
        return self.dbt(
            "test", "--threads", "1", "--select", *(f"{model},test_type:unit" for model in models)
        )

    def dbt(self, command: str, *arguments: str) -> Any:
        """Run a dbt command; returns dbt's result and fails with what dbt said."""
        from dbt.cli.main import dbtRunner

        if self._manifest is None:
            self._manifest = dbtRunner().invoke(["parse", *self._folders()]).result
        result: Any = dbtRunner(manifest=self._manifest).invoke([command, *arguments, *self._folders()])
        assert result.success, result.exception or [
            f"{each.node.name}: {each.message}"
            for each in result.result
            if each.status not in ("success", "pass")
        ]
        return result.result

    def build(self, tag: str, *flags: str) -> None:
        """Build the models of one group together with their data tests."""
        self.dbt("build", "--select", f"tag:{tag}", "--exclude-resource-type", "unit_test", *flags)

    def run(self, tag: str) -> None:
        """Build the models of one group and leave their data tests for later: half the time."""
        self.dbt("run", "--select", f"tag:{tag}")

    def build_warehouse(self, *flags: str) -> IdentityReport:
        """What the DAG build_warehouse does: base, identities, core."""
        self.build("money_path_base", *flags)
        report = self.assign()
        self.build("money_path_core", *flags)
        return report

    def derive_warehouse(self) -> IdentityReport:
        """`build_warehouse` without its data tests: for the builds on the way to what a test is about."""
        self.run("money_path_base")
        report = self.assign()
        self.run("money_path_core")
        return report

    def assign(self) -> IdentityReport:
        """The identity step, under the role it has in production."""
        return assign_identities(self.session(Role.RECONCILER), RUN)

    def reconcile(self) -> ReconReport:
        """What the DAG reconcile_transactions does: its models, then matches and exceptions."""
        tags = ("tag:reconciliation_exact", "tag:reconciliation_rest")
        self.dbt("build", "--select", *tags, "--exclude-resource-type", "unit_test")
        return record_matches(self.session(Role.RECONCILER), RUN)

    def macro(self, name: str) -> Any:
        """A macro of the project, as the next run will use it."""
        return self._manifest.macros[f"macro.turno.{name}"]

    def rows(self, model: str) -> list[Row]:
        """A model's rows in the order of its key, without the columns of lineage."""
        query = f"select * from {model} order by {MODELS.get(model, '1')}"  # noqa: S608  # names of our own
        return [
            {column: value for column, value in row.items() if not column.startswith("_")}
            for row in self.conn.execute(query)
        ]

    def payments(self) -> dict[str, Row]:
        """core_transaction_data by posting key."""
        return {row["posting_key"]: row for row in self.rows("core.core_transaction_data")}

    def empty(self) -> None:
        """Forget everything that landed, was decided or was derived."""
        tables = self.conn.execute(_EVERY_TABLE).fetchone()
        self.conn.execute(f"truncate {(tables or {})['tables']} restart identity cascade")

    def _folders(self) -> list[str]:
        where = {"project": PROJECT, "profiles": PROJECT}
        folders = [text for name, path in where.items() for text in (f"--{name}-dir", str(path))]
        output = ["--target-path", str(self.output), "--log-path", str(self.output), "--quiet"]
        return [*folders, *output, "--no-write-json"]  # writing the manifest is a quarter of a small build


@contextmanager
def dbt_project(databases: Databases, template: str, output: Path) -> Iterator[DbtProject]:
    """A project on its own migrated database, with every model built once, empty."""
    databases.ensure_database(DATABASE, template=template)
    address = urlsplit(databases.url(DATABASE, Role.DBT))
    settings = {
        "TURNO_DBT_HOST": address.hostname,
        "TURNO_DBT_PORT": address.port,
        "TURNO_DBT_USER": address.username,
        "TURNO_DBT_PASSWORD": address.password,
        "TURNO_DBT_DBNAME": DATABASE,
        "DO_NOT_TRACK": 1,
    }
    from dbt_common.behavior_flags import BehaviorFlagRendered

    before = {name: os.environ.get(name) for name in settings}
    os.environ.update({name: str(value) for name, value in settings.items()})
    try:
        with (
            # for each of its 69 flags dbt walks the whole call stack, which is deep here: half the time of a build
            patch.object(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "dbt")),
            connect(databases.url(DATABASE), autocommit=True) as conn,
            closing(DbtProject(conn, databases, output)) as project,
        ):
            project.dbt("run")
            yield project
    finally:
        os.environ.update({name: value for name, value in before.items() if value is not None})
        for name in (name for name, value in before.items() if value is None):
            del os.environ[name]
