"""`turno warehouse`: the deploy steps of the warehouse."""

import getpass
from typing import Annotated

import typer

from turno_lms.warehouse.connection import Role, connect, warehouse_url

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def migrate() -> None:
    """Bring landing and state tables to the newest version. Needs the connection of the owner; safe to run again."""
    from turno_lms.warehouse.migrate import migrate as run_migrations

    run_migrations(warehouse_url(Role.OWNER))
    typer.echo("warehouse ok")


@app.command()
def maintain(
    actor: Annotated[str, typer.Option(help="Who asks.", default_factory=getpass.getuser)],
    trial: Annotated[bool, typer.Option("--trial", help="Count only.")] = False,
) -> None:
    """Remove what is old and proves nothing (docs/retention.md), as the DAG maintain_warehouse does every week."""
    from turno_lms.warehouse.retention import remove_expired

    with connect(Role.INGESTION) as conn:
        removed = remove_expired(conn, f"turno/{actor}", is_trial=trial)
    typer.echo(
        ("would remove " if trial else "removed ")
        + " ".join(f"{what}={rows}" for what, rows in removed.items())
    )
