"""`turno webhooks`: look at stored webhooks, have them derived anew, and ask the gateways for what never came."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

import typer

from turno_lms.domain.dates import IST
from turno_lms.domain.runs import RunContext
from turno_lms.gateways.replay import (
    ReplayError,
    Selection,
    describe,
    discard,
    find_dead_letters,
    find_events,
    replay,
)
from turno_lms.warehouse.connection import Role, Row, connect

Result = TypeVar("Result")
app = typer.Typer(no_args_is_help=True, help=__doc__)

Moment = Annotated[datetime | None, typer.Option(help="Indian time, such as 2026-01-05T09:00:00.")]
Flag = Annotated[bool, typer.Option(help="Only those.")]
Reason = Annotated[str, typer.Option(help="Why; kept with what is done.")]
Actor = Annotated[str, typer.Option(help="Who does it.", default_factory=getpass.getuser)]


def _at(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=IST) if moment else None


@app.command(name="replay")
def replay_events(
    *,
    reason: Annotated[str, typer.Option(help="Why; kept with it. Not needed with --dry-run.")] = "",
    actor: Actor,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what is meant and do nothing.")] = False,
    gateway: Annotated[str | None, typer.Option(help="razorpay or cashfree.")] = None,
    lender: Annotated[str | None, typer.Option(help="The lender whose URL received it.")] = None,
    event_key: Annotated[str | None, typer.Option("--event", help="An event's key.")] = None,
    event_type: Annotated[str | None, typer.Option("--type", help="Such as payment.captured.")] = None,
    payment_id: Annotated[str | None, typer.Option("--payment", help="The gateway's payment id.")] = None,
    received_from: Moment = None,
    received_until: Moment = None,
    conflicting: Flag = False,
    stale: Flag = False,
) -> None:
    """Have a selection derived anew by the next build_warehouse, and its dead letters tried again.

    Every option that is given narrows the selection.
    """
    selection = Selection(
        gateway=gateway,
        lender=lender,
        event_key=event_key,
        event_type=event_type,
        payment_id=payment_id,
        received_from=_at(received_from),
        received_until=_at(received_until),
        conflicting=conflicting,
        stale=stale,
    )
    run = RunContext("turno_webhooks_replay", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", actor=actor)
    with connect(Role.INGESTION) as conn:
        if dry_run:
            _print(_refusing(lambda: find_events(conn, selection)), find_dead_letters(conn, selection))
            return
        report = _refusing(lambda: replay(conn, selection, reason, run))
    figures = " ".join(f"{name}={value}" for name, value in report.to_dict().items())
    typer.echo(f"replay {figures}")


def _print(events: list[Row], letters: list[Row]) -> None:
    for line in (*describe(events), *describe(letters)):
        typer.echo(line)
    typer.echo(f"webhooks events={len(events)} dead_letters={len(letters)}")


@app.command(name="discard")
def discard_letter(
    dead_letter: Annotated[int, typer.Argument(help="Its number in raw.raw_webhook_dead_letter.")],
    reason: Reason,
    actor: Actor,
) -> None:
    """Give up a dead letter. It stays where it is, with the reason."""
    with connect(Role.INGESTION) as conn:
        _refusing(lambda: discard(conn, dead_letter, reason, actor))
    typer.echo(f"dead letter {dead_letter} discarded")


@app.command(name="sweep")
def sweep_account(
    gateway: Annotated[str, typer.Argument(help="razorpay or cashfree.")],
    lender: Annotated[str, typer.Argument(help="The lender whose account is asked.")],
    days_back: Annotated[int | None, typer.Option(min=1, help="Ask for a longer window than is due.")] = None,
) -> None:
    """Ask a lender's account for collected payments whose webhook never came, and land them."""
    from turno_lms.gateways.connections import gateway_api
    from turno_lms.gateways.sweep import sweep
    from turno_lms.lenders.accounts import connection_id

    api = gateway_api(gateway, lender)
    if api is None:
        raise typer.BadParameter(f"there is no Airflow connection {connection_id(gateway, lender)}")
    run = RunContext(
        "turno_webhooks_sweep", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", actor=getpass.getuser()
    )
    since = datetime.now(UTC) - timedelta(days=days_back) if days_back else None
    with connect(Role.INGESTION, autocommit=True) as conn:
        report = sweep(conn, api, gateway, lender, run, since=since)
    typer.echo(f"sweep {' '.join(f'{name}={value}' for name, value in report.to_dict().items())}")


def _refusing(act: Callable[[], Result]) -> Result:
    """Do it; what is refused ends the command with its reason, not with a trace."""
    try:
        return act()
    except ReplayError as refused:
        raise typer.BadParameter(str(refused)) from refused
