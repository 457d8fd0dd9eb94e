"""`turno payments`: look at one payment and decide what only a person can."""

import getpass
from collections.abc import Callable
from typing import Annotated

import typer

from turno_lms.identity import decisions
from turno_lms.identity.statements import STATEMENTS
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

app = typer.Typer(no_args_is_help=True, help=__doc__)

Key = Annotated[
    str, typer.Argument(help="Posting key, as core_transaction_data and Fineract's external id have it.")
]
Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
Actor = Annotated[str, typer.Option(help="Who decides.", default_factory=getpass.getuser)]


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Posting key, or the native reference of a sighting.")],
) -> None:
    """Print a payment: what it is, where it was seen, and what a person was asked about it."""
    with connect(Role.RECONCILER) as conn:
        found = conn.execute(STATEMENTS["show_key"], {"key": key}).fetchone()
        if found is None:
            raise typer.BadParameter(f"{key} is neither a posting key nor a native reference")
        _print_payment(conn, found)


def _print_payment(conn: WarehouseConnection, found: Row) -> None:
    effective = found["effective_key"]
    linked = "" if effective == found["posting_key"] else f" (linked from {found['posting_key']})"
    typer.echo(f"posting key {effective}{linked}")
    for name in ("show_payment", "show_sightings", "show_questions"):
        for row in conn.execute(STATEMENTS[name], {"key": effective}):
            typer.echo(
                "  " + "  ".join(f"{column}={value}" for column, value in row.items() if value is not None)
            )


@app.command()
def release(key: Key, reason: Reason, actor: Actor) -> None:
    """Say that a held payment is real money of its own: it is posted after the next build_warehouse."""
    with connect(Role.RECONCILER) as conn:
        _decide(lambda: decisions.release(conn, key, reason, actor))
    typer.echo(f"{key} released")


@app.command()
def link(
    key: Key,
    to: Annotated[str, typer.Option(help="The posting key that is the same money.")],
    reason: Reason,
    actor: Actor,
) -> None:
    """Say that a held payment is the same money as another: it is never posted under its own key."""
    with connect(Role.RECONCILER) as conn:
        _decide(lambda: decisions.link(conn, key, to, reason, actor))
    typer.echo(f"{key} linked to {to}")


def _decide(decision: Callable[[], None]) -> None:
    """Make a decision; a refused one ends the command with its reason, not with a trace."""
    try:
        decision()
    except decisions.DecisionError as refused:
        raise typer.BadParameter(str(refused)) from refused
