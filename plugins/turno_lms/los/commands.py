"""`turno los`: who may submit operations."""

import getpass
from datetime import timedelta
from typing import Annotated

import typer

from turno_lms.los import callers
from turno_lms.warehouse.connection import connect

app = typer.Typer(no_args_is_help=True, help=__doc__)

Caller = Annotated[str, typer.Argument(help="The system that submits, such as `origination`.")]


@app.command()
def token(
    caller: Caller,
    actor: Annotated[str, typer.Option(help="Who makes it.", default_factory=getpass.getuser)],
    overlap_hours: Annotated[int, typer.Option(min=0, help="How long the caller's old token stands.")] = 24,
) -> None:
    """Make a token for a caller and print it, once: what is kept is its hash. An old one stands for some hours."""
    with connect() as conn:
        try:
            made = callers.issue_token(conn, caller, actor, overlap=timedelta(hours=overlap_hours))
        except callers.CallerError as refused:
            raise typer.BadParameter(str(refused)) from refused
    typer.echo(made)


@app.command()
def revoke(caller: Caller) -> None:
    """End all tokens of a caller at once."""
    with connect() as conn:
        ended = callers.revoke_tokens(conn, caller)
    typer.echo(f"{caller} revoked={ended}")
