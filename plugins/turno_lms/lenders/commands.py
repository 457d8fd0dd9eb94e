"""`turno lenders`: check the mappings, print their schema, and make the warehouse fit them."""

from pathlib import Path
from typing import Annotated

import typer

from turno_lms.lenders.json_schema import schema_text
from turno_lms.lenders.registry import LenderRegistry, MappingError, load_lenders

app = typer.Typer(no_args_is_help=True, help=__doc__)
Directory = Annotated[
    Path | None, typer.Option("--mappings", help="Directory of mappings; the project's own if left out.")
]


@app.command()
def check(directory: Directory = None) -> None:
    """Check every mapping, alone and against the others. Exits 1 with file, line and hint of each problem."""
    for lender in _load(directory).values():
        kinds = ", ".join(lender.files) or "no files"
        typer.echo(f"{lender.slug}: {lender.name}, mapping {lender.mapping_version}, {kinds}")


@app.command()
def schema() -> None:
    """Print the JSON Schema of mappings, which stands beside them as lender.schema.json."""
    typer.echo(schema_text(), nl=False)


@app.command()
def apply(directory: Directory = None) -> None:
    """Create what the warehouse needs for the lenders (connection turno_warehouse_owner). Safe to run again."""
    from turno_lms.lenders.apply import apply_lenders
    from turno_lms.warehouse.connection import Role, connect

    registry = _load(directory)
    with connect(Role.OWNER) as conn:
        changes = apply_lenders(conn, registry)
    for change in changes:
        typer.echo(change)
    typer.echo(f"lenders applied={len(registry)} changes={len(changes)}")


def _load(directory: Path | None) -> LenderRegistry:
    try:
        return load_lenders(directory)
    except MappingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
