"""`turno resolutions`: what is under way, and the record of one settlement, write-off or foreclosure."""

from typing import Annotated

import typer

from turno_lms.warehouse.connection import Role, Row, connect

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command("list")
def list_open() -> None:
    """List what is under way, one line each; `holds_money` says that the loan's incoming money is held for it."""
    with connect(Role.POSTER) as conn:
        rows = conn.execute(
            "select * from core.core_open_resolution order by kind, resolution_ref"
        ).fetchall()
    for row in rows:
        typer.echo(_line(row, "kind", "resolution_ref", "loan_id", "state", "holds_money"))


@app.command()
def show(ref: Annotated[str, typer.Argument(help="A reference: stl-..., wof-... or fcl-...")]) -> None:
    """Show the record of one: its state and figures, its steps in Fineract, and who did what when."""
    from turno_lms.resolutions import books
    from turno_lms.resolutions.journal import events_of
    from turno_lms.resolutions.quotes import ResolutionError
    from turno_lms.resolutions.steps import steps_of

    with connect(Role.POSTER) as conn:
        try:
            row = books.read(conn, books.book_of(ref), ref)
        except ResolutionError as unknown:
            raise typer.BadParameter(str(unknown)) from unknown
        steps, events = steps_of(conn, ref), events_of(conn, ref)
    typer.echo(_line(row, *row))
    for step in steps:
        typer.echo(
            _line(
                step,
                "position",
                "kind",
                "state",
                "amount",
                "external_id",
                "fineract_transaction_id",
                "last_error",
            )
        )
    for event in events:
        typer.echo(
            f"{event['happened_at']:%Y-%m-%d %H:%M:%S} UTC  {event['actor']}  {event['event']}  {event['detail']}"
        )


def _line(row: Row, *names: str) -> str:
    return "  ".join(f"{name}={row[name]}" for name in names if row[name] is not None)
