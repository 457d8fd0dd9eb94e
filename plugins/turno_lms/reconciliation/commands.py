"""`turno exceptions`: what does not agree, whose it is and how old; acting on it; matches by hand; any past day."""

import csv
import getpass
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from turno_lms.domain.runs import RunContext
from turno_lms.reconciliation import by_hand, exceptions, reports
from turno_lms.reconciliation.exceptions import Filter
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

app = typer.Typer(no_args_is_help=True, help=__doc__)

Ids = Annotated[list[int], typer.Argument(help="Numbers of exceptions.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the exception.")]
Actor = Annotated[str, typer.Option(help="Who does it.", default_factory=getpass.getuser)]
LenderName = Annotated[str | None, typer.Option("--lender", help="Slug of the lender.")]
Day = Annotated[datetime, typer.Argument(formats=["%Y-%m-%d"], help="A day (IST).")]
_SHOWN = (
    "exception_id", "kind", "lender", "loan_id", "amount", "life", "class", "owner", "age_days", "due_at", "subject",
)  # fmt: skip


@app.command("list")
def list_exceptions(
    *,
    lender: LenderName = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    life: Annotated[str | None, typer.Option(help="open, assigned, waiting, resolved, cleared...")] = None,
    owner: Annotated[str | None, typer.Option(help="Only this person's.")] = None,
    loan_id: Annotated[str | None, typer.Option("--loan", help="Only of this loan.")] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only what is past its deadline.")] = False,
    min_age_days: Annotated[int, typer.Option(help="At least so old.")] = 0,
    min_rupees: Annotated[str | None, typer.Option(help="At least so many rupees.")] = None,
    limit: Annotated[int, typer.Option(help="Lines at most.")] = 50,
) -> None:
    """Open exceptions (or those of a life), the most rupees first."""
    wanted = Filter(
        lender=lender, kind=kind, life=life, owner=owner, loan_id=loan_id, only_open=life is None,
        only_overdue=overdue, min_age_days=min_age_days,
        min_rupees=Decimal(min_rupees) if min_rupees else None, limit=limit,
    )  # fmt: skip
    with connect(Role.RECONCILER) as conn:
        _print({name: row[name] for name in _SHOWN} for row in exceptions.find(conn, wanted))


@app.command()
def show(exception_id: int) -> None:
    """One exception: what was found, and every step since."""
    with connect(Role.RECONCILER) as conn:
        found = exceptions.find(conn, Filter(ids=[exception_id], only_open=False))
        if not found:
            raise typer.BadParameter(f"there is no exception {exception_id}")
        for name, value in found[0].items():
            if value is not None:
                typer.echo(f"{name:<16}{value}")
        _print(exceptions.history(conn, exception_id), indent="  ")


@app.command()
def summary(day: Annotated[datetime | None, typer.Argument(formats=["%Y-%m-%d"])] = None) -> None:
    """Counts and rupees by lender, status and age, as the last run of a day (IST) left them; today without one."""
    with connect(Role.RECONCILER) as conn:
        _print(reports.daily(conn, day.date() if day else reports.today()))


@app.command()
def days(number: Annotated[int, typer.Argument(min=1, max=366, help="How many.")] = 30) -> None:
    """Rupees matched, expected and mismatched, day by day (IST) up to today; the console's first page draws them."""
    with connect(Role.RECONCILER) as conn:
        _print(reports.by_day(conn, reports.today(), number))


@app.command()
def assign(ids: Ids, owner: Annotated[str, typer.Option(help="To whom.")], actor: Actor) -> None:
    """Give exceptions to a person."""
    with _acting() as conn:
        _told(exceptions.assign(conn, ids, owner, actor), f"assigned to {owner}")


@app.command()
def wait(
    ids: Ids,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Until which day (IST).")],
    note: Reason,
    actor: Actor,
) -> None:
    """Say that exceptions wait for somebody else."""
    with _acting() as conn:
        _told(exceptions.wait(conn, ids, until.date(), note, actor), f"waiting until {until:%Y-%m-%d}")


@app.command()
def note(ids: Ids, text: Annotated[str, typer.Option("--note")], actor: Actor) -> None:
    """Add a note."""
    with _acting() as conn:
        _told(exceptions.add_note(conn, ids, text, actor), "noted")


@app.command()
def resolve(ids: Ids, reason: Reason, actor: Actor) -> None:
    """Close exceptions that are explained."""
    with _acting() as conn:
        _told(exceptions.resolve(conn, ids, reason, actor), "resolved")


@app.command("write-off")
def write_off(ids: Ids, reason: Reason, actor: Actor) -> None:
    """Give up the difference; no money moves."""
    with _acting() as conn:
        _told(exceptions.write_off(conn, ids, reason, actor), "written off")


@app.command()
def reopen(ids: Ids, reason: Reason, actor: Actor) -> None:
    """Open again what a person closed."""
    with _acting() as conn:
        _told(exceptions.reopen(conn, ids, reason, actor), "open")


@app.command()
def matches(loan_id: str) -> None:
    """A loan's matches: rule, distances, alternatives, and the payment through which each posts."""
    with connect(Role.RECONCILER) as conn:
        _print(reports.matches_of_loan(conn, loan_id))


@app.command()
def match(references: Annotated[list[str], typer.Argument()], reason: Reason, actor: Actor) -> None:
    """Ask for a match of records of both sides (native references); another person approves it."""
    with _acting() as conn:
        asked = by_hand.request_match(conn, references, reason, _run("match", actor))
        typer.echo(f"request {asked.approval_id} waits for: turno exceptions approve {asked.approval_id}")


@app.command()
def unmatch(match_group: str, reason: Reason, actor: Actor) -> None:
    """Ask to take a match apart; another person approves it."""
    with _acting() as conn:
        asked = by_hand.request_unmatch(conn, match_group, reason, _run("unmatch", actor))
        typer.echo(f"request {asked.approval_id} waits for: turno exceptions approve {asked.approval_id}")


@app.command()
def approve(
    approval_id: int,
    actor: Actor,
    reject: Annotated[bool, typer.Option("--reject", help="Refuse it.")] = False,
) -> None:
    """Decide about a match that another person asked for, and do it."""
    from turno_lms.approvals.approvals import decide

    with _acting() as conn:
        typer.echo(by_hand.preview(conn, approval_id))
        decided = decide(conn, approval_id, actor, approved=not reject)
        conn.commit()
        if not reject:
            done = by_hand.execute(conn, approval_id, _run("approve", actor))
            typer.echo(f"{done['action']}: {done['members']} records")
        typer.echo(f"request {approval_id} {decided.state}")


@app.command("as-of")
def as_of(day: Day, lender: LenderName = None) -> None:
    """Reconciliation as it stood at the end of a past day (IST)."""
    with connect(Role.RECONCILER) as conn:
        found = exceptions.as_of(conn, day.date(), lender)
    _print({name: row[name] for name in row if name != "detail"} for row in found["exceptions"])
    _print(found["matches"], indent="matched ")
    rupees = sum((row["amount"] or Decimal(0) for row in found["exceptions"]), Decimal(0))
    typer.echo(f"as of {day:%Y-%m-%d}: exceptions={len(found['exceptions'])} rupees={rupees}")


@app.command()
def export(
    out: Annotated[Path | None, typer.Argument(help="A .csv or .xlsx; standard output without one.")] = None,
    lender: LenderName = None,
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
) -> None:
    """Write exceptions into a file that is safe to open in a spreadsheet program."""
    with connect(Role.RECONCILER) as conn:
        rows = exceptions.find(conn, Filter(lender=lender, only_open=not everything))
    table = reports.table_of(rows)
    if out and out.suffix == ".xlsx":
        reports.write_workbook(out, table)
    elif out:
        with out.open("w", encoding="utf-8-sig", newline="") as target:
            csv.writer(target).writerows(table)
    else:
        csv.writer(sys.stdout).writerows(table)
    typer.echo(f"exported {len(rows)} exceptions", err=True)


@contextmanager
def _acting() -> Iterator[WarehouseConnection]:
    """A connection for one action; what is refused ends the command with its reason, not with a trace."""
    from turno_lms.approvals.approvals import ApprovalError

    try:
        with connect(Role.RECONCILER) as conn:
            yield conn
    except (ValueError, ApprovalError) as refused:
        raise typer.BadParameter(str(refused)) from refused


def _run(command: str, actor: str) -> RunContext:
    return RunContext(
        f"turno_exceptions_{command}", f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", actor=actor
    )


def _told(count: int, what: str) -> None:
    typer.echo(f"{count} exceptions {what}")


def _print(rows: Iterable[Row], indent: str = "") -> None:
    for row in rows:
        told = "  ".join(f"{name}={value}" for name, value in row.items() if value is not None)
        typer.echo(f"{indent}{told}")
