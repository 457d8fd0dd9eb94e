"""`turno links`: preview and make payment links, refresh them, and follow the money from a link to Fineract."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import LinkPurpose
from turno_lms.warehouse.connection import Role, connect

app = typer.Typer(no_args_is_help=True, help=__doc__)

LenderName = Annotated[str, typer.Argument(help="The lender's slug.")]
Loans = Annotated[str | None, typer.Option(help="Loan ids, with commas between.")]
CsvFile = Annotated[Path | None, typer.Option("--csv", exists=True, help="A CSV with a column loan_id.")]
Overdue = Annotated[int | None, typer.Option(min=0, help="All that are overdue for so many days.")]
Amount = Annotated[LinkPurpose, typer.Option(help="What to ask for, as Fineract says now.")]


def _run(command: str) -> RunContext:
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return RunContext(f"turno_links_{command}", moment, actor=getpass.getuser())


@contextmanager
def _refusing() -> Iterator[None]:
    """What is refused ends the command with its reason, not with a trace."""
    from airflow.sdk.exceptions import AirflowFailException

    from turno_lms.orchestration.payment_links import NoAccountError
    from turno_lms.payment_links.links import LinkAccountError
    from turno_lms.payment_links.send import AccountBusyError

    try:
        yield
    except (ValueError, AirflowFailException, NoAccountError, AccountBusyError, LinkAccountError) as refused:
        raise typer.BadParameter(str(refused)) from refused


@app.command()
def preview(
    lender: LenderName,
    loans: Loans = None,
    csv_file: CsvFile = None,
    overdue_days: Overdue = None,
    amount: Amount = LinkPurpose.OVERDUE,
) -> None:
    """Show which loans would get a link of how much, and why the others would get none. Stores nothing."""
    _plan(lender, (loans, csv_file, overdue_days), amount, dry_run=True)


@app.command()
def create(
    lender: LenderName,
    loans: Loans = None,
    csv_file: CsvFile = None,
    overdue_days: Overdue = None,
    amount: Amount = LinkPurpose.OVERDUE,
) -> None:
    """Make the links that `preview` shows. One that was cut short goes on with what is left: `turno links send`."""
    _plan(lender, (loans, csv_file, overdue_days), amount, dry_run=False)
    send(lender)


def _plan(
    slug: str, asked: tuple[str | None, Path | None, int | None], amount: LinkPurpose, *, dry_run: bool
) -> None:
    from turno_lms.orchestration.payment_links import plan
    from turno_lms.orchestration.repairs import lender_named
    from turno_lms.payment_links.selection import read_selection

    loans, file, overdue_days = asked
    with _refusing():
        text = file.read_text(encoding="utf-8-sig") if file else None
        selection = read_selection(loans, text, overdue_days)
        planned = plan(lender_named(slug), selection, amount, _run("create"), dry_run=dry_run)
    typer.echo(planned.text())


@app.command()
def send(lender: LenderName) -> None:
    """Send what is planned for a lender, and find out about links whose answer was lost."""
    from turno_lms.orchestration.payment_links import accounts_with_links, link_account
    from turno_lms.orchestration.repairs import lender_named
    from turno_lms.payment_links.send import send_links

    run = _run("send")
    with _refusing():
        for account in accounts_with_links():
            if account["lender"] == lender:
                report = send_links(link_account(lender_named(lender), account["gateway"], run), run)
                for failure in report.failures:
                    typer.echo(f"refused {failure}")
                figures = " ".join(f"{name}={count}" for name, count in sorted(report.outcomes.items()))
                typer.echo(f"links {account['gateway']} {figures} waiting={report.waiting}")


@app.command()
def refresh(
    lender: LenderName,
    *,
    every_link: Annotated[bool, typer.Option(help="Compare every open link with Fineract.")] = False,
) -> None:
    """Take in webhooks, poll, cancel what is no longer due and quote it anew."""
    from turno_lms.orchestration.payment_links import accounts_with_links, link_account
    from turno_lms.orchestration.repairs import lender_named
    from turno_lms.payment_links.questions import raise_questions
    from turno_lms.payment_links.refresh import refresh_account
    from turno_lms.payment_links.webhooks import read_webhooks

    run = _run("refresh")
    with _refusing():
        with connect(Role.POSTER, autocommit=True) as conn:
            read_webhooks(conn, run)
        for account in accounts_with_links():
            if account["lender"] == lender:
                target = link_account(lender_named(lender), account["gateway"], run)
                counts = refresh_account(target, run, check_every_link=every_link)
                typer.echo(" ".join(f"{name}={count}" for name, count in counts.items()) or "nothing to do")
        send(lender)
        with connect(Role.POSTER) as conn:
            raise_questions(conn, run)


@app.command()
def show(
    key: Annotated[
        str, typer.Argument(help="A link's reference or id, a loan, a gateway payment, or a posting key.")
    ],
) -> None:
    """Follow the rupee: link, payment, transaction, posting."""
    from turno_lms.payment_links.statements import STATEMENTS

    with connect(Role.POSTER) as conn:
        rows = conn.execute(STATEMENTS["show_links"], {"key": key}).fetchall()
    if not rows:
        raise typer.BadParameter(f"no payment link has to do with {key}")
    for row in rows:
        typer.echo("  ".join(f"{name}={value}" for name, value in row.items() if value is not None))


@app.command(name="list")
def count_links() -> None:
    """Count links and rupees by lender and state."""
    from turno_lms.payment_links.statements import STATEMENTS

    with connect(Role.POSTER) as conn:
        for row in conn.execute(STATEMENTS["count_links"]):
            typer.echo("  ".join(f"{name}={value}" for name, value in row.items()))
