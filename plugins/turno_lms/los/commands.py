"""`turno los`: who may submit operations, what became of them, and the full state of a loan."""

import getpass
import json
from datetime import timedelta
from typing import Annotated

import typer

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LosState
from turno_lms.los import callers, decisions
from turno_lms.los.decisions import Action, DecisionError, Named
from turno_lms.warehouse.connection import Role, connect, warehouse_url

app = typer.Typer(no_args_is_help=True, help=__doc__)

Caller = Annotated[str, typer.Argument(help="The system that submits, such as `origination`.")]


@app.command()
def token(
    caller: Caller,
    actor: Annotated[str, typer.Option(help="Who makes it.", default_factory=getpass.getuser)],
    overlap_hours: Annotated[int, typer.Option(min=0, help="How long the caller's old token stands.")] = 24,
) -> None:
    """Make a token for a caller and print it, once: what is kept is its hash. An old one stands for some hours."""
    with connect(Role.POSTER) as conn:
        try:
            made = callers.issue_token(conn, caller, actor, overlap=timedelta(hours=overlap_hours))
        except callers.CallerError as refused:
            raise typer.BadParameter(str(refused)) from refused
    typer.echo(made)


@app.command()
def revoke(caller: Caller) -> None:
    """End all tokens of a caller at once."""
    with connect(Role.POSTER) as conn:
        ended = callers.revoke_tokens(conn, caller)
    typer.echo(f"{caller} revoked={ended}")


@app.command()
def apply() -> None:
    """Make the tables of every operation of the registry (connection turno_warehouse_owner). Safe to run again."""
    from turno_lms.los.apply import apply_operations

    with connect(Role.OWNER) as conn:
        changes = apply_operations(conn)
    for change in changes:
        typer.echo(change)
    typer.echo(f"operations applied changes={len(changes)}")


@app.command("list")
def list_operations(
    operation: Annotated[str | None, typer.Option(help="Such as create_loan.")] = None,
    state: Annotated[LosState | None, typer.Option(help="How far it is.")] = None,
    loan: Annotated[str | None, typer.Option(help="Of one loan.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
) -> None:
    """List submissions with state, reason and age, the oldest first."""
    with connect(Role.POSTER) as conn:
        found = decisions.rows(conn, operation=operation, state=state, loan_id=loan, limit=limit)
    for row in found:
        since = row["waiting_since"] or row["changed_at"]
        typer.echo(
            f"{row['operation']} {row['reference']} ({row['caller']}) {row['state']} since {since:%Y-%m-%d %H:%M} UTC"
            f" {row['reason'] or ''} {row['message'] or ''}".rstrip()
        )
    typer.echo(f"submissions={len(found)}")


Operation = Annotated[str, typer.Argument(help="Such as create_loan.")]
Reference = Annotated[str, typer.Argument(help="The caller's reference.")]


@app.command()
def decide(
    action: Annotated[Action, typer.Argument(help="release a mismatch, retry, or drop.")],
    operation: Operation,
    reference: Reference,
    reason: Annotated[str, typer.Option(help="Why; it stays with the row.")],
    caller: Annotated[str | None, typer.Option(help="If several callers have the reference.")] = None,
) -> None:
    """Decide about a submission that is held or refused; the next run goes on with it."""
    with connect(Role.POSTER) as conn:
        try:
            decisions.decide(conn, Named(operation, reference, caller), action, reason, getpass.getuser())
        except DecisionError as refused:
            raise typer.BadParameter(str(refused)) from refused
    typer.echo(f"{operation} {reference} {action}")


@app.command("show-loan")
def show_loan(loan: Annotated[str, typer.Argument(help="The loan's id.")]) -> None:
    """Print all that is known of a loan as JSON, personal data masked."""
    from contextlib import closing

    from turno_lms.fineract.audit import DatabaseAudit
    from turno_lms.fineract.hook import FineractHook
    from turno_lms.los.loan_state import loan_state

    run = RunContext("turno", "show-loan", actor=getpass.getuser())
    with connect(Role.POSTER) as conn, closing(DatabaseAudit(warehouse_url(Role.POSTER), run)) as audit:
        state = loan_state(conn, FineractHook().client(audit), loan)
    typer.echo(json.dumps(state, indent=2, ensure_ascii=False))
