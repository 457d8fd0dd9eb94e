"""`turno stack`: start, look at and stop everything a laptop needs."""

from typing import Annotated

import typer

from local_stack import api
from local_stack.environment import EXECUTORS, SERVICES
from local_stack.processes import StackError

app = typer.Typer(no_args_is_help=True, help=__doc__)
Executor = Annotated[
    str, typer.Option(help=f"who runs Airflow's tasks, of: {','.join(EXECUTORS)}", envvar="TURNO_EXECUTOR")
]


@app.command()
def up(
    only: Annotated[str, typer.Option(help=f"comma-separated, of: {','.join(SERVICES)}")] = ",".join(
        SERVICES
    ),
    executor: Executor = "local",
) -> None:
    """Start the stack, return when it is healthy, and print NAME=value lines for `eval "$(turno stack up)"`."""
    try:
        stack = api.bring_up((name.strip() for name in only.split(",")), executor)
    except StackError as error:
        typer.echo(f"{error}\nWhat did start is still up; look with: turno stack status", err=True)
        raise typer.Exit(1) from error
    typer.echo(stack.as_shell())


@app.command()
def status() -> None:
    """Show every service, how it is and since when it runs. Exit status 1 unless all are healthy."""
    found = api.status()
    if not found:
        typer.echo("nothing is up; start it with: turno stack up")
        raise typer.Exit(1)
    rows = [("service", "pid", "state", "restarts", "since", "address")]
    for service in found:
        since = service.since.astimezone().strftime("%d %b %H:%M:%S") if service.since else "-"
        rows.append(
            (service.name, str(service.pid or "-"), service.state, str(service.restarts), since, service.url)
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    if any(service.state != "healthy" for service in found):
        raise typer.Exit(1)


@app.command()
def down() -> None:
    """Stop everything."""
    stopped = api.take_down()
    typer.echo(f"stopped: {', '.join(stopped)}" if stopped else "nothing was up", err=True)
