"""`turno posting`: the switch, what is parked, what is in doubt, reversals. And `turno proof`."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import PostingOutcome, RepaymentKind, SwitchState
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect, warehouse_url

if TYPE_CHECKING:
    from turno_lms.fineract.client import FineractClient

app = typer.Typer(no_args_is_help=True, help=__doc__)

Key = Annotated[str, typer.Argument(help="Posting key: Fineract's external id.")]
Reason = Annotated[str, typer.Option(help="Why, or the evidence; kept with the decision.")]
Actor = Annotated[str, typer.Option(help="Who decides.", default_factory=getpass.getuser)]


def _run(command: str, actor: str) -> RunContext:
    return RunContext(f"turno_posting_{command}", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", actor=actor)


@contextmanager
def _decision() -> Iterator[WarehouseConnection]:
    """A connection for one decision; what is refused ends the command with its reason, not with a trace."""
    try:
        with connect(Role.POSTER) as conn:
            yield conn
    except ValueError as refused:
        raise typer.BadParameter(str(refused)) from refused


@contextmanager
def _fineract(run: RunContext) -> Iterator["FineractClient"]:
    from turno_lms.fineract.audit import (
        DatabaseAudit,
    )  # over a second of imports: not for every other command
    from turno_lms.fineract.hook import FineractHook

    audit = DatabaseAudit(warehouse_url(Role.POSTER), run)
    try:
        yield FineractHook().client(audit)
    finally:
        audit.close()


@app.command()
def parked() -> None:
    """List what waits for a person: refused, in doubt, overpaid, returned after posting; the oldest first."""
    from turno_lms.posting.cases import parked as list_parked

    with connect(Role.POSTER) as conn:
        for row in list_parked(conn):
            typer.echo("  ".join(f"{name}={value}" for name, value in row.items() if value is not None))


@app.command()
def look(key: Key) -> None:
    """Read a queued repayment back from Fineract by its external id; changes nothing."""
    from turno_lms.posting import cases

    with _decision() as conn, _fineract(_run("look", getpass.getuser())) as client:
        found, shown = cases.look(conn, client, key)
    typer.echo(f"{found}: {shown}")


@app.command()
def retry(key: Key, reason: Reason, actor: Actor) -> None:
    """Put a repayment in doubt back into the queue: it is read back first, and sent if Fineract has it not."""
    from turno_lms.posting import cases

    with _decision() as conn:
        cases.retry(conn, key, reason, actor)
    typer.echo(f"{key} queued")


@app.command()
def settle(
    key: Key,
    outcome: Annotated[PostingOutcome, typer.Option(help="posted or failed.")],
    evidence: Reason,
    actor: Actor,
    transaction: Annotated[int | None, typer.Option(help="Fineract's transaction id, for posted.")] = None,
) -> None:
    """Settle a repayment in doubt by hand, with evidence; the next proof holds it against Fineract."""
    from turno_lms.posting import cases

    with _decision() as conn:
        cases.settle(conn, key, outcome, evidence, _run("settle", actor), fineract_transaction_id=transaction)
    typer.echo(f"{key} settled as {outcome}")


@app.command()
def repost(
    key: Key,
    reason: Reason,
    actor: Actor,
    kind: Annotated[
        RepaymentKind, typer.Option(help="recovery for a written-off loan.")
    ] = RepaymentKind.REPAYMENT,
) -> None:
    """Queue a repayment that Fineract refused for another attempt."""
    from turno_lms.posting import cases

    with _decision() as conn:
        cases.repost(conn, key, kind, reason, _run("repost", actor))
    typer.echo(f"{key} queued as {kind}")


@app.command()
def switch(
    lender: Annotated[str, typer.Argument(help="A lender's slug, or * for all.")],
    channel: Annotated[str, typer.Argument(help="A posting channel, or * for all.")],
    state: Annotated[SwitchState, typer.Argument(help="open, draining or stopped.")],
    reason: Reason,
    actor: Actor,
) -> None:
    """Stop, drain or open posting for a lender and channel."""
    from turno_lms.posting.switch import set_switch

    with _decision() as conn:
        set_switch(conn, lender, channel, state, reason=reason, actor=actor)
    typer.echo(f"{lender} {channel} {state}")


@app.command()
def reverse(key: Key, reason: Reason, actor: Actor) -> None:
    """Undo a posted repayment in Fineract, now. A correction in its place: the form of reverse_repayment."""
    from turno_lms.posting import reversals

    run = _run("reverse", actor)
    with _decision() as conn:
        reversals.request_reversal(conn, key, reason, actor)
    with connect(Role.POSTER, autocommit=True) as conn, _fineract(run) as client:
        typer.echo(f"reversals {reversals.execute_reversals(conn, client, run)}")


@app.command()
def keep(key: Key, reason: Reason, actor: Actor) -> None:
    """Decide that a prepared or refused reversal is not to be: the repayment stands."""
    from turno_lms.posting import reversals

    with _decision() as conn:
        reversals.drop_reversal(conn, key, reason, actor)
    typer.echo(f"{key} stands")


def proof() -> None:
    """Prove that Fineract and the ledger agree, payment by payment, and that every file's rows and rupees add up.

    Prints what does not agree, and ends with status 1 if anything does not.
    """
    from turno_lms.fineract.audit import (
        DatabaseAudit,
    )  # over a second of imports: not for every other command
    from turno_lms.fineract.hook import FineractHook
    from turno_lms.posting.proof import find_files_that_do_not_tie, prove

    run = RunContext("turno_proof", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", actor="command line")
    url = warehouse_url(Role.POSTER)
    audit = DatabaseAudit(url, run)
    with connect(url, autocommit=True) as conn:
        report = prove(conn, FineractHook().client(audit), None, run)
        files = find_files_that_do_not_tie(conn)
    audit.close()
    for line in [*map(str, report.differences), *files]:
        typer.echo(line)
    typer.echo(f"foreign={report.foreign} unsettled={report.unsettled} files_not_tying={len(files)}")
    verdict = "failed" if report.differences or files else "ok"
    figures = f"loans={report.loans} transactions={report.transactions} differences={len(report.differences)}"
    typer.echo(f"proof {verdict} {figures}")
    if verdict == "failed":
        raise typer.Exit(1)
