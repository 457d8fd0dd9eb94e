"""`turno metrics`: the figures of the warehouse at a terminal, or for a textfile collector."""

import typer

from turno_lms.metrics.collect import exposition
from turno_lms.warehouse.connection import Role, connect


def metrics() -> None:
    """Print every figure of docs/metrics.md as of now, in the Prometheus text format."""
    with connect(Role.CONSOLE, application_name="turno metrics") as conn:
        typer.echo(exposition(conn), nl=False)
