"""`turno demo`: the main job, end to end, on this machine."""

import json
import signal
import time
import traceback
from types import FrameType
from typing import Annotated

import typer

from local_stack.api import bring_up, take_down
from local_stack.commands import Executor
from local_stack.environment import StackEnvironment
from local_stack.folder import StateFolder
from local_stack.processes import StackError
from local_stack.services import use_connections

REPORT = "demo-report.json"
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FAILED = "demo failed"
_UNFINISHED = "the pipelines did not come to their end"


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="stop everything at the end instead of staying up")
    ] = False,
    executor: Executor = "local",
) -> None:
    """Take sample files and webhooks through the real scheduler to posted repayments in Fineract, and show the figures.

    Exit status 0 only if they tie. A second demo finds everything loaded and changes nothing.
    """
    started = time.monotonic()
    for number in _STOP_SIGNALS:
        signal.signal(number, _interrupt)
    last_line = f"{_FAILED} interrupted"
    try:
        last_line = _run(executor, started, once=once)
        if not once:
            _stay_up(last_line)
    except KeyboardInterrupt:
        typer.echo("stopping", err=True)
    finally:
        for number in _STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave half of it running
        typer.echo(f"stopped: {', '.join(take_down())}", err=True)
    typer.echo(last_line)
    if last_line.startswith(_FAILED):
        raise typer.Exit(1)


def _run(executor: str, started: float, *, once: bool) -> str:
    """The whole demo; returns its last line, which says whether all figures tie."""
    try:
        summary, problem = _show(bring_up(executor=executor), started, once=once)
    except StackError as error:
        summary, problem = "", f"{_UNFINISHED}: {error}"
    except Exception as error:  # the last line must say what happened, whatever it was
        traceback.print_exc()
        summary, problem = "", f"{_UNFINISHED}: {error}"
    if problem:
        return f"{_FAILED} {' '.join(problem.split())}"
    return f"demo ok {summary} seconds={time.monotonic() - started:.0f}"


def _show(stack: StackEnvironment, started: float, *, once: bool) -> tuple[str, str]:
    """Run the pipelines and print the closing table; returns the figures of the last line, and what does not tie.

    What stays up is all of Turno: then the DAGs that the demo did not need are unpaused too.
    """
    use_connections(stack)
    from local_stack.demo.airflow_api import AirflowApi
    from local_stack.demo.closing_table import render, render_failures
    from local_stack.demo.figures import collect_figures
    from local_stack.demo.pipelines import run_pipelines
    from turno_lms.orchestration.connections import s3_client
    from turno_lms.warehouse.connection import Role, connect

    def say(text: str) -> None:
        typer.echo(f"[{time.monotonic() - started:5.1f} s] {text}")

    variables = stack.variables()
    address, user, password = (variables[f"TURNO_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD"))
    api = AirflowApi(address, user, password)
    with connect(Role.POSTER, application_name="turno demo") as conn:
        watch = run_pipelines(stack, api, conn, s3_client(), say)
        figures = collect_figures(conn)
    builds = [run.label for run in api.runs("success") if run.dag_id == "build_warehouse"]
    failures = render_failures(task for run in watch.failed() for task in api.failed_tasks(run))
    report = {**figures.to_dict(), "builds": builds, "started": [run.label for run in watch.started]}
    _write_report(report)
    typer.echo("\n" + "\n\n".join(filter(None, [failures, render(figures, builds[-1])])))
    if not once:
        api.unpause_all()
    typer.echo(f"\nAirflow's screens: {address}  user {user}, password {password}")
    summary = f"rows={figures.rows_read} posted={figures.posted} unexplained={figures.unexplained}"
    return summary, "; ".join(figures.untied)


def _write_report(report: dict[str, object]) -> None:
    file = StateFolder.default().path / REPORT
    file.write_text(json.dumps(report, indent=1, default=str), encoding="utf-8")


def _stay_up(last_line: str) -> None:
    typer.echo(f"{last_line}\neverything stays up; Ctrl-C stops it")
    while True:
        signal.pause()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
