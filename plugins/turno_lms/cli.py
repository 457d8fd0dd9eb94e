"""The `turno` command. Each area brings its own subcommands; this file only mounts them.

`stack` and `demo` come from local_stack, which a production image does not hold.
"""

import importlib.util

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)


def _mount() -> None:
    from turno_lms.gateways.commands import app as webhooks
    from turno_lms.identity.commands import app as payments
    from turno_lms.los.commands import app as los
    from turno_lms.metrics.commands import metrics
    from turno_lms.orchestration.access_commands import app as access
    from turno_lms.orchestration.file_commands import files, rejects, umrn
    from turno_lms.orchestration.link_commands import app as links
    from turno_lms.orchestration.rule_changes import dry_run
    from turno_lms.posting.commands import app as posting
    from turno_lms.posting.commands import proof
    from turno_lms.posting.cut_over_commands import app as cutover
    from turno_lms.reconciliation.commands import app as exceptions
    from turno_lms.resolutions.commands import app as resolutions
    from turno_lms.warehouse.commands import app as warehouse

    exceptions.command("dry-run")(dry_run)
    app.add_typer(access, name="access")
    app.add_typer(cutover, name="cutover")
    app.add_typer(exceptions, name="exceptions")
    app.add_typer(files, name="files")
    app.add_typer(lenders_app(), name="lenders")
    app.add_typer(links, name="links")
    app.add_typer(los, name="los")
    app.add_typer(payments, name="payments")
    app.add_typer(posting, name="posting")
    app.add_typer(rejects, name="rejects")
    app.add_typer(resolutions, name="resolutions")
    app.add_typer(umrn, name="umrn")
    app.add_typer(warehouse, name="warehouse")
    app.add_typer(webhooks, name="webhooks")
    app.command("metrics")(metrics)
    app.command("proof")(proof)
    if importlib.util.find_spec("local_stack"):
        from local_stack.commands import app as stack
        from local_stack.demo.commands import demo

        app.add_typer(stack, name="stack")
        app.command("demo")(demo)


def lenders_app() -> typer.Typer:
    """`turno lenders`: what asks the mappings alone, and what takes a sample through ingestion."""
    from turno_lms.ingestion.commands import draft_mapping, new_lender, preview_sample
    from turno_lms.lenders.commands import app as checks

    lenders = typer.Typer(
        no_args_is_help=True, help="Lender mappings: draft, check, preview, put in place, apply."
    )
    lenders.add_typer(checks)
    for name, command in (("preview", preview_sample), ("draft", draft_mapping), ("new", new_lender)):
        lenders.command(name)(command)
    return lenders


def main() -> None:
    """Entry point of the console script."""
    _mount()
    app()


if __name__ == "__main__":
    main()
