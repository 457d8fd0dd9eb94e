"""Try other reconciliation rules before they count: the models of the rules built beside those that stand, compared and
dropped. Nothing is recorded, and what is matched already stays matched.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from turno_lms.domain.money import canonical_amount, rupees
from turno_lms.reconciliation.rule_trials import compare_rules
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

SUFFIX = "__dry_run"
_MOST_DAYS = 10


class DryRunError(RuntimeError):
    """dbt could not build the models; the message is dbt's."""


@dataclass(frozen=True)
class RuleChange:
    """Other values of a lender's rules, or of all lenders' with `*`; None leaves a value as it is."""

    lender: str = "*"
    date_tolerance_days: int | None = None
    amount_tolerance: Decimal | None = None

    def variables(self) -> dict[str, Any]:
        """dbt's variables for it."""
        rules: dict[str, Any] = {}
        if self.date_tolerance_days is not None:
            rules["date_tolerance_days"] = self.date_tolerance_days
        if self.amount_tolerance is not None:
            rules["amount_tolerance"] = canonical_amount(self.amount_tolerance)
        return {"recon_suffix": SUFFIX, "recon_rules": {self.lender: rules}}


def try_rules(conn: WarehouseConnection, change: RuleChange) -> list[Row]:
    """What would differ in the open work of the last run, by lender and rule or kind: items and rupees, before, after.

    Raises DryRunError.
    """
    variables = change.variables()
    try:
        _dbt("run", "--select", "tag:reconciliation_rules", variables=variables)
        return compare_rules(conn, SUFFIX)
    finally:
        _dbt("run-operation", "drop_recon_dry_run", variables=variables)


def _dbt(*arguments: str, variables: Mapping[str, Any]) -> None:
    from dbt.cli.main import dbtRunner

    from turno_lms.orchestration.dbt import project_folder

    folder = str(project_folder())
    with TemporaryDirectory(prefix="turno-dry-run-") as output:
        places = {"project-dir": folder, "profiles-dir": folder, "target-path": output, "log-path": output}
        options = [text for name, place in places.items() for text in (f"--{name}", place)]
        result = dbtRunner().invoke([*arguments, "--vars", json.dumps(variables), *options, "--quiet"])
    if not result.success:
        told = [f"{each.node.name}: {each.message}" for each in getattr(result.result, "results", [])]
        raise DryRunError(f"dbt {arguments[0]} failed: {result.exception or '; '.join(told)}")


def dry_run(
    *,
    lender: Annotated[str, typer.Option(help="Slug of the lender, or * for all.")] = "*",
    date_days: Annotated[int | None, typer.Option(min=0, max=_MOST_DAYS)] = None,
    amount: Annotated[str | None, typer.Option(help="Rupees that the sides may differ by.")] = None,
) -> None:
    """Show what other tolerances would change in the open work, in counts and rupees; nothing is recorded."""
    change = RuleChange(lender, date_days, rupees(amount) if amount else None)
    with connect(Role.RECONCILER, autocommit=True) as conn:
        changes = try_rules(conn, change)
    for row in changes:
        typer.echo("  ".join(f"{name}={value}" for name, value in row.items()))
    typer.echo(f"dry run {lender}: {len(changes)} lines would change")
