"""`turno warehouse`: the deploy steps of the warehouse."""

import typer

from turno_lms.warehouse.connection import Role, warehouse_url

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.callback()
def warehouse() -> None:
    """Keep the command's name: an app with one command would otherwise be that command."""


@app.command()
def migrate() -> None:
    """Bring landing and state tables to the newest version. Needs the connection of the owner; safe to run again."""
    from turno_lms.warehouse.migrate import migrate as run_migrations

    run_migrations(warehouse_url(Role.OWNER))
    typer.echo("warehouse ok")
