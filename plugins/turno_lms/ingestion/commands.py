"""`turno lenders preview`, `draft` and `new`: from a sample to a mapping, without a database."""

import json
from pathlib import Path
from typing import Annotated

import typer

from turno_lms.domain.states import FileState
from turno_lms.ingestion.drafting import DEFAULT_KIND, draft
from turno_lms.ingestion.preview import Fate, preview
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.scaffold import NewLender, scaffold
from turno_lms.lenders.registry import MappingError, load_lender, mappings_directory
from turno_lms.lenders.schema import Lender

SampleFile = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="A file as the lender sends it.")
]
MappingFile = Annotated[
    Path, typer.Option("--mapping", exists=True, dir_okay=False, help="The lender's YAML.")
]
Kind = Annotated[str | None, typer.Option("--kind", help="File kind; needed when the lender sends several.")]
Master = Annotated[
    Path | None, typer.Option("--umrn-master", exists=True, dir_okay=False, help="CSV of mandates.")
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, the summary last.")]


def preview_sample(
    sample: SampleFile,
    mapping: MappingFile,
    kind: Kind = None,
    umrn_master: Master = None,
    as_json: AsJson = False,
) -> None:
    """Print what every row of a sample would become. Exits 1 when the file as a whole would not be loaded."""
    lender = _lender(mapping)
    result = preview(lender, _kind(lender, kind), sample, umrn_master)
    for row in result.rows:
        typer.echo(json.dumps(row, ensure_ascii=False) if as_json else _line(row))
    typer.echo(json.dumps(result.summary) if as_json else _told(result.summary))
    if result.summary["state"] in (FileState.REFUSED, FileState.HALTED):
        raise typer.Exit(1)


def draft_mapping(
    sample: SampleFile,
    slug: Annotated[str, typer.Option("--lender", help="The slug the lender is to have.")] = "new_lender",
    name: Annotated[str | None, typer.Option("--name", help="The lender's name, as people write it.")] = None,
    kind: Annotated[str, typer.Option("--kind", help="A name for this kind of file.")] = DEFAULT_KIND,
) -> None:
    """Draft a mapping from a sample and print it. It passes no check before every DECIDE in it is settled."""
    try:
        typer.echo(draft(sample, slug, name, kind), nl=False)
    except FileRefusedError as refusal:
        typer.echo(refusal.message, err=True)
        raise typer.Exit(1) from refusal


def new_lender(
    slug: Annotated[str, typer.Argument(help="For ever: it names tables, DAG and keys.")],
    sample: Annotated[
        Path, typer.Option("--sample", exists=True, dir_okay=False, help="A file as the lender sends it.")
    ],
    from_draft: Annotated[
        Path | None,
        typer.Option(
            "--from-draft", exists=True, dir_okay=False, help="A draft that is decided; else one is made."
        ),
    ] = None,
    mappings: Annotated[
        Path | None, typer.Option("--mappings", help="Directory of mappings; the project's own if left out.")
    ] = None,
    cases: Annotated[
        Path | None,
        typer.Option("--cases", help="Directory of golden samples; tests/lenders/golden if left out."),
    ] = None,
) -> None:
    """Put a new lender in place: mapping, sample, and a sheet for the fates that its test expects."""
    home = mappings_directory().parents[1]
    lender = NewLender(slug, mappings or mappings_directory(), cases or home / "tests" / "lenders" / "golden")
    try:
        written = scaffold(lender, sample, from_draft)
    except (ValueError, FileExistsError, FileRefusedError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    for path in written:
        typer.echo(path)
    typer.echo(
        f"lender {slug} is in place: settle its mapping, type its expected fates, then turno lenders check"
    )


def _lender(mapping: Path) -> Lender:
    try:
        return load_lender(mapping)
    except MappingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


def _kind(lender: Lender, kind: str | None) -> str:
    kinds = [*lender.files]
    if kind is None and len(kinds) == 1:
        return kinds[0]
    if kind not in kinds:
        raise typer.BadParameter(f"say one of {', '.join(kinds)}", param_hint="--kind")
    return kind


def _line(row: Fate) -> str:
    if row["reason"] is None:
        address = row["loan_id"] or f"UMRN {row['umrn']}"
        return f"{row['row']:>6}  {row['fate']:<9}  {row['date']}  {row['amount']:>14}  {address}"
    return f"{row['row']:>6}  {row['fate']:<9}  {row['reason']}: {row['message']}"


def _told(summary: dict[str, object]) -> str:
    return "preview " + " ".join(f"{name}={value}" for name, value in summary.items() if value is not None)
