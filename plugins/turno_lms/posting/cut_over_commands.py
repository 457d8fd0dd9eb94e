"""`turno cutover`: take over from the former system without posting anything twice, and without losing anything."""

import csv
import getpass
import hashlib
from collections import Counter
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from turno_lms.domain.money import indian_rupees
from turno_lms.posting import cut_over
from turno_lms.posting.former_postings import FormerPostingsError, read_csv
from turno_lms.posting.systems_compared import Compared, Verdict
from turno_lms.warehouse.connection import Role, connect

app = typer.Typer(no_args_is_help=True, help=__doc__)

_Actor = Annotated[str, typer.Option(help="Who does it.", default_factory=getpass.getuser)]


@app.command("import")
def take_in(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV: lender, loan_id, amount, date, ...")
    ],
    actor: _Actor,
) -> None:
    """Take what the former system posted into the ledger as historic. The same file again is a no-op."""
    content = file.read_bytes()
    try:
        postings = read_csv(content.decode("utf-8-sig"))
        with connect(Role.POSTER) as conn:
            taken = cut_over.take_in(conn, postings, file.name, hashlib.sha256(content).hexdigest(), actor)
    except FormerPostingsError as refused:
        typer.echo(f"{file.name} is not taken, nothing was changed:\n{refused}", err=True)
        raise typer.Exit(1) from refused
    except UnicodeDecodeError as error:
        typer.echo(f"{file.name} is not taken: byte {error.start} is not UTF-8; export it as UTF-8", err=True)
        raise typer.Exit(1) from error
    for key in taken.posted_by_both:
        typer.echo(
            f"posted by both systems: {key}; look at the loan in Fineract now (turno payments show {key})"
        )
    typer.echo(
        f"cutover imported={taken.new} rupees={taken.rupees} known={taken.known}"
        f" posted_by_both={len(taken.posted_by_both)}"
    )
    if taken.posted_by_both:
        raise typer.Exit(1)


@app.command()
def compare(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First business date.")],
    last: Annotated[datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last business date.")],
    details: Annotated[
        Path | None, typer.Option(help="Write every payment that differs to this CSV.")
    ] = None,
) -> None:
    """Show what this system would post beside what the former one did. Posts nothing; status 1 if they differ."""
    with connect(Role.POSTER) as conn:
        rows = cut_over.compare(conn, first.date(), last.date())
    for line in table(rows):
        typer.echo(line)
    differences = [row for row in rows if row.verdict != Verdict.SAME]
    if details:
        _write(details, differences)
    counts = Counter(row.verdict for row in rows)
    typer.echo("cutover " + " ".join(f"{verdict}={counts[verdict]}" for verdict in Verdict))
    if differences:
        raise typer.Exit(1)


@app.command()
def same(
    key: Annotated[str, typer.Argument(help="Posting key of the payment that is held here.")],
    reason: Annotated[str, typer.Option(help="How you know; kept with the decision.")],
    actor: _Actor,
) -> None:
    """Say that a held payment is what the former system posted under another date. Else: payments release."""
    try:
        with connect(Role.POSTER) as conn:
            former = cut_over.same_money(conn, key, reason, actor)
    except cut_over.CutOverError as refused:
        raise typer.BadParameter(str(refused)) from refused
    typer.echo(f"{key} is historic: the former system posted it as {former}")


def table(rows: list[Compared]) -> list[str]:
    """Payments and rupees by lender and verdict, as a table for a person."""
    groups: dict[tuple[str, str, str], list[Decimal]] = {}
    for row in rows:
        groups.setdefault((row.lender, row.verdict, row.held_by or ""), []).append(row.amount)
    cells = [("lender", "verdict", "held by", "payments", "rupees")]
    cells += [
        (*group, str(len(amounts)), indian_rupees(sum(amounts, Decimal(0))))
        for group, amounts in sorted(groups.items())
    ]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place > 2 else cell.ljust(width)  # noqa: PLR2004  the figures
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]


def _write(path: Path, rows: list[Compared]) -> None:
    names = (
        "verdict",
        "lender",
        "loan_id",
        "amount",
        "date_here",
        "date_there",
        "held_by",
        "key_here",
        "key_there",
    )
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({name: getattr(row, name) for name in names} for row in rows)
