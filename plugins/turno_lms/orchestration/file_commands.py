"""`turno files`, `turno rejects` and `turno umrn`: what became of what lenders sent, and putting it right."""

import getpass
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from turno_lms.domain.money import paise_to_rupees
from turno_lms.domain.runs import RunContext
from turno_lms.domain.states import Disposition
from turno_lms.ingestion import listings, replay, superseded
from turno_lms.ingestion.files import LenderFile, ObjectStore, describe_file, find_new_files, places_of
from turno_lms.ingestion.hand_in import HandInError, hand_in, place_named
from turno_lms.ingestion.load import ingest_file
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.rejects import Correction, RejectError, discard, fix, lender_of
from turno_lms.ingestion.spreadsheets import write_rows
from turno_lms.lenders import mapping_versions
from turno_lms.lenders.registry import load_lenders
from turno_lms.lenders.schema import Lender
from turno_lms.orchestration.connections import bucket, s3_client
from turno_lms.warehouse.connection import Role, Row, WarehouseConnection, connect

files = typer.Typer(no_args_is_help=True, help="Lender files: what became of them, load, replay, hand in.")
rejects = typer.Typer(no_args_is_help=True, help="Rejected rows of lender files: look, correct, discard.")
umrn = typer.Typer(no_args_is_help=True, help="The UMRN master: which loan a mandate pays for, and when.")

LenderName = Annotated[str | None, typer.Option("--lender", help="Slug of the lender.")]
Limit = Annotated[int, typer.Option(help="Lines at most.")]
Reason = Annotated[str, typer.Option(help="Why; kept with the decision.")]
Actor = Annotated[str, typer.Option(help="Who decides.", default_factory=getpass.getuser)]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"])]
RowNumbers = Annotated[list[int] | None, typer.Option("--row", help="Only these rows; can be repeated.")]


@files.command("list")
def list_files(
    lender: LenderName = None,
    state: Annotated[str | None, typer.Option(help="Only files in this state.")] = None,
    limit: Limit = 50,
) -> None:
    """The newest file versions, with rows and rupees by fate."""
    with connect(Role.INGESTION) as conn:
        _print(listings.files(conn, lender, state, limit))


@files.command("show")
def show_file(file: Annotated[str, typer.Argument(help="File id, or key (all its versions).")]) -> None:
    """Everything the log says about a file, why rows were not accepted, and its replays."""
    with connect(Role.INGESTION) as conn:
        found = listings.versions_of(conn, file)
        if not found:
            raise typer.BadParameter(f"the processing log has no file {file}")
        for row in found:
            for name, value in row.items():
                if value is not None:
                    typer.echo(f"{name:<24}{value}")
            _print(listings.reasons(conn, row["file_id"]), indent="  ")
            _print(listings.replays(conn, row["file_id"]), indent="  replay: ")


@files.command("load")
def load_files(
    *,
    lender: Annotated[str, typer.Option("--lender", help="Slug of the lender.")],
    key: Annotated[str | None, typer.Option(help="One file, even if it was refused before.")] = None,
    actor: Actor,
) -> None:
    """Load a lender's new files here and now, as its DAG does. A file that is loaded already is left alone.

    The warehouse is not told: build_warehouse takes the rows with its next run.
    """
    reports, refused = [], 0
    with connect(Role.INGESTION) as conn:
        for file in _files_to_load(conn, _lender(lender), key):
            try:
                reports.append(ingest_file(conn, _s3(), _lender(lender), file, _run("load", actor)))
            except FileRefusedError as refusal:
                typer.echo(str(refusal), err=True)
                refused += 1
    _print(
        {"file_id": report.file_id, "key": report.key, "state": report.state}
        | {f"rows_{fate}": getattr(report, f"rows_{fate}") for fate in ("read", *Disposition)}
        | {"rupees_accepted": paise_to_rupees(report.paise_accepted or 0)}
        for report in reports
    )
    typer.echo(f"load files={len(reports)} refused={refused}")
    if refused:
        raise typer.Exit(1)


@files.command("mappings")
def list_mappings(lender: Annotated[str, typer.Argument(help="Slug of the lender.")]) -> None:
    """The versions of a lender's mapping that are kept, newest first: what a replay can use."""
    with connect(Role.INGESTION) as conn:
        _print(mapping_versions.kept(conn, lender))


@files.command("replay")
def replay_files(
    *,
    lender: Annotated[str, typer.Option("--lender", help="Slug of the lender.")],
    key: Annotated[str | None, typer.Option(help="One file.")] = None,
    first_day: Day = None,
    last_day: Day = None,
    mapping_version: Annotated[str | None, typer.Option(help="An earlier one; see `mappings`.")] = None,
    really: Annotated[bool, typer.Option("--really", help="Do it; without this it is only shown.")] = False,
) -> None:
    """Read archived files again, under the mapping of today or an earlier one. Shows only, unless --really."""
    if not (key or first_day or last_day):
        raise typer.BadParameter("say which files: --key, or --first-day and --last-day")
    days = {
        name: day.date() if day else None for name, day in (("first_day", first_day), ("last_day", last_day))
    }
    with connect(Role.INGESTION) as conn:
        mapping = _mapping(conn, lender, mapping_version)
        ids = replay.files_to_replay(conn, lender, key=key, **days)
        if really:
            reports = [
                replay.replay_file(conn, _s3(), mapping, file_id, _run("replay", None)) for file_id in ids
            ]
        else:
            reports = replay.try_replay(conn, _s3(), mapping, ids, _run("replay", None))
    for report in reports:
        typer.echo(report.to_text())
    refused = sum(report.refusal is not None for report in reports)
    loaded = sum(report.rows_loaded for report in reports)
    typer.echo(
        f"replay dry_run={str(not really).lower()} files={len(reports)} rows_loaded={loaded} refused={refused}"
    )
    if refused:
        raise typer.Exit(1)


@files.command("superseded")
def list_superseded(file_id: Annotated[int | None, typer.Option("--file")] = None) -> None:
    """Loaded rows that a corrected version of their file lacks or changes, and that nobody has decided about."""
    with connect(Role.INGESTION) as conn:
        _print(superseded.open_questions(conn, file_id))


@files.command("keep")
def keep_rows(file_id: int, reason: Reason, actor: Actor, row: RowNumbers = None) -> None:
    """Say that superseded rows of a file stand: they are posted like any other."""
    _settle(superseded.Settlement(file_id, "kept", reason, row), actor)


@files.command("withdraw")
def withdraw_rows(file_id: int, reason: Reason, actor: Actor, row: RowNumbers = None) -> None:
    """Say that superseded rows of a file were wrong: they are never posted. Refused for what is posted."""
    _settle(superseded.Settlement(file_id, "withdrawn", reason, row), actor)


@files.command("hand-in")
def hand_in_file(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    lender: Annotated[str, typer.Option("--lender", help="Slug of the lender.")],
    actor: Actor,
    kind: Annotated[str | None, typer.Option(help="Needed when the lender sends several.")] = None,
) -> None:
    """Put a file where the lender's own arrive; the next run of its DAG loads it."""
    try:
        place = place_named(_lender(lender), kind)
        key = hand_in(_s3(), bucket(), place, path.name, path.read_bytes(), person=actor)
    except HandInError as error:
        raise typer.BadParameter(str(error)) from error
    typer.echo(key)


@rejects.command("list")
def list_rejects(
    *,
    lender: LenderName = None,
    file_id: Annotated[int | None, typer.Option("--file", help="Only of this file id.")] = None,
    reason: Annotated[str | None, typer.Option(help="Only with this reason code.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The settled ones too.")] = False,
    limit: Limit = 50,
    csv: Annotated[Path | None, typer.Option(help="Write them to this CSV, for the lender.")] = None,
) -> None:
    """Rejected rows that wait for a person."""
    wanted = {"lender": lender, "file_id": file_id, "reason": reason, "all": everything, "limit": limit}
    with connect(Role.INGESTION) as conn:
        found = listings.rejects(conn, **wanted)
    if csv is None:
        _print(found)
        return
    typer.echo(f"rejects written={write_rows(csv, found, listings.REJECT_COLUMNS)} file={csv}")


@rejects.command("fix")
def fix_reject(
    *,
    reject_id: int,
    reason: Reason,
    actor: Actor,
    cell: Annotated[list[str] | None, typer.Option("--cell", help="'Heading=text'; can be repeated.")] = None,
    line: Annotated[str | None, typer.Option(help="The whole line as it should have been.")] = None,
    other_money: Annotated[
        bool, typer.Option("--other-money", help="It is no correction of the row loaded before.")
    ] = False,
) -> None:
    """Judge a rejected row again as corrected, and load it under its file and row number."""
    parts = [text.partition("=") for text in cell or ()]
    if not all(equals for _, equals, _ in parts):
        raise typer.BadParameter("write --cell 'Heading=text'")
    correction = Correction(
        reject_id, reason, {name.strip(): text for name, _, text in parts}, line, other_money
    )
    with connect(Role.INGESTION) as conn:
        try:
            lender = _lender(lender_of(conn, reject_id))
            report = fix(conn, _s3(), lender, correction, _run("fix", actor))
        except RejectError as error:
            raise typer.BadParameter(str(error)) from error
    typer.echo(f"row {report.row_number} of file {report.file_id} is loaded: {report.amount} rupees")


@rejects.command("discard")
def discard_rejects(reject_ids: list[int], reason: Reason, actor: Actor) -> None:
    """Settle rejected rows without loading them: a mark with a reason and a person."""
    with connect(Role.INGESTION) as conn:
        try:
            count = discard(conn, reject_ids, _run("discard", actor), reason)
        except RejectError as error:
            raise typer.BadParameter(str(error)) from error
    typer.echo(f"rejects discarded={count}")


@umrn.command("list")
def list_mandates(
    lender: LenderName = None,
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Only what stands on a day.")
    ] = None,
    conflicts: Annotated[
        bool, typer.Option("--conflicts", help="Rows that were not taken, and why.")
    ] = False,
    limit: Limit = 50,
) -> None:
    """Mandates with the days on which each stands for its loan."""
    with connect(Role.INGESTION) as conn:
        if conflicts:
            _print(listings.mandate_conflicts(conn, limit))
        else:
            _print(listings.mandates(conn, lender=lender, on=on.date() if on else None, limit=limit))


@umrn.command("show")
def show_mandate(name: Annotated[str, typer.Argument(help="UMRN or loan id.")]) -> None:
    """Every period of a UMRN, or every UMRN of a loan. Exits 1 when the master has none."""
    with connect(Role.INGESTION) as conn:
        found = listings.mandates(conn, name, limit=1000)
    if not found:
        typer.echo(f"the UMRN master has no mandate or loan {name}", err=True)
        raise typer.Exit(1)
    _print(found)


def _print(rows: Iterable[Row], indent: str = "") -> None:
    for row in rows:
        told = (f"{name}={value}" for name, value in row.items() if value is not None and value != "")
        typer.echo(indent + "  ".join(told))


def _settle(settlement: superseded.Settlement, actor: str) -> None:
    with connect(Role.INGESTION) as conn:
        try:
            count = superseded.settle(conn, settlement, actor)
        except superseded.SupersededError as error:
            raise typer.BadParameter(str(error)) from error
    typer.echo(f"rows {settlement.decision}={count}")


def _lender(slug: str) -> Lender:
    found = load_lenders().get(slug)
    if found is None:
        raise typer.BadParameter(f"there is no lender {slug}")
    return found


def _files_to_load(conn: WarehouseConnection, lender: Lender, key: str | None) -> list[LenderFile]:
    if key is None:
        return find_new_files(conn, _s3(), bucket(), lender)
    if not any(place.covers(key) for place in places_of(lender)):
        expected = ", ".join(f"{place.prefix}{place.pattern}" for place in places_of(lender))
        raise typer.BadParameter(f"{key} is no file of {lender.slug}, whose files are {expected}")
    return [describe_file(_s3(), bucket(), lender, key)]


def _mapping(conn: WarehouseConnection, slug: str, version: str | None) -> Lender:
    lender = _lender(slug)
    if version in (None, lender.mapping_version):
        return lender
    try:
        with conn.transaction():
            return mapping_versions.read(conn, slug, str(version))
    except mapping_versions.MappingVersionError as error:
        raise typer.BadParameter(str(error)) from error


def _run(command: str, actor: str | None) -> RunContext:
    return RunContext("turno", command, actor=actor or getpass.getuser())


def _s3() -> ObjectStore:
    client: ObjectStore = s3_client()
    return client
