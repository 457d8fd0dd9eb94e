"""`turno proof`."""

from datetime import UTC, datetime

import typer

from turno_lms.domain.runs import RunContext
from turno_lms.warehouse.connection import connect, warehouse_url


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
    url = warehouse_url()
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
