"""The steps of the DAGs with which people put files right: replay, correct, discard, hand in; and the watch."""

import logging
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any

from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.lenders.registry import (
    MappingError,
    load_lender,
    mapping_files,
    mappings_directory,
    read_lenders,
)
from turno_lms.lenders.schema import Lender
from turno_lms.orchestration.connections import bucket, s3_client
from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

_logger = logging.getLogger(__name__)
DAY = {"type": ["null", "string"], "format": "date"}


def lender_param() -> Param:
    """The form field for a lender. The names come from the files' names: no mapping is read for it."""
    slugs = sorted(path.stem for path in mapping_files(mappings_directory()))
    return Param(None, type=["null", "string"], enum=[None, *slugs], title="Lender")


def lender_named(slug: str | None) -> Lender:
    """The lender of the form, as its mapping is today; fails the task when there is none."""
    if not slug:
        raise AirflowFailException("say which lender")
    for path in mapping_files(mappings_directory()):
        if path.stem == slug:
            try:
                return load_lender(path)
            except MappingError as error:
                raise AirflowFailException(f"the mapping cannot be used:\n{error}") from None
    raise AirflowFailException(f"there is no lender {slug}")


def replay() -> dict[str, Any]:
    """Replay the files of the form, or show what that would do; the report of each, and how many rows it loads."""
    from turno_lms.ingestion.replay import ReplayReport, files_to_replay, replay_file, try_replay

    key, days = text_param("key"), {name: _day(name) for name in ("first_day", "last_day")}
    if not (key or any(days.values())):
        raise AirflowFailException("say which files: a key, or a first and a last day")
    run, is_dry = current_run(), get_current_context()["params"].get("dry_run") is not False
    slug = text_param("lender")
    with connect(Role.INGESTION) as conn:
        lender = _under_version(conn, lender_named(slug), text_param("mapping_version"))
        file_ids = files_to_replay(conn, lender.slug, key=key, **days)
        if not file_ids:
            raise AirflowFailException(
                f"{lender.slug} has no such file in the processing log; check key and days"
            )
        if is_dry:
            reports: list[ReplayReport] = try_replay(conn, s3_client(), lender, file_ids, run)
        else:
            reports = [replay_file(conn, s3_client(), lender, file_id, run) for file_id in file_ids]
    for report in reports:
        _logger.info("%s", report.to_text())
    refused = sum(report.refusal is not None for report in reports)
    loaded = sum(report.rows_loaded for report in reports)
    _logger.info(
        "%s %s files: %s rows loaded, %s files refused",
        "Would replay" if is_dry else "Replayed",
        len(reports),
        loaded,
        refused,
    )
    return {
        "dry_run": is_dry,
        "rows_loaded": loaded,
        "refused": refused,
        "files": [report.to_dict() for report in reports],
        "text": "\n".join(report.to_text() for report in reports),
    }


def fail_for_refused(report: dict[str, Any]) -> None:
    """Fail the task when a file could not be replayed; the others are done by then."""
    if report["refused"]:
        told = [f"{one['key']}: {one['refusal']}" for one in report["files"] if one["refusal"]]
        raise AirflowFailException("\n".join(told))


def skip_without_rows(report: dict[str, Any]) -> int:
    """How many rows came into RAW; skips the task, and the asset it emits, when none did."""
    rows: int = 0 if report.get("dry_run") else report["rows_loaded"]
    if not rows:
        raise AirflowSkipException("no row was loaded")
    return rows


def resolve_rejects() -> dict[str, Any]:
    """Correct the rejected row of the form, or discard the rows named there."""
    from turno_lms.ingestion.rejects import Correction, RejectError, discard, fix

    params, run, reason = get_current_context()["params"], current_run(), text_param("reason") or ""
    ids = _numbers(params.get("reject_ids"))
    try:
        with connect(Role.INGESTION) as conn:
            if text_param("action") == "discard":
                return {"discarded": discard(conn, ids, run, reason), "rows_loaded": 0}
            if len(ids) != 1:
                raise AirflowFailException("a correction is for one rejected row: give one number")
            correction = Correction(
                ids[0],
                reason,
                _cells(text_param("cells")),
                text_param("line"),
                params.get("is_other_money") is True,
            )
            lender = lender_named(_lender_of(conn, ids[0]))
            return {"fixed": fix(conn, s3_client(), lender, correction, run).to_dict(), "rows_loaded": 1}
    except RejectError as error:
        raise AirflowFailException(str(error)) from None


def hand_in_file() -> str:
    """Put the file of the form where its lender's files arrive; returns its key."""
    from turno_lms.ingestion.hand_in import HandInError, decode, hand_in, place_named

    params = get_current_context()["params"]
    content, is_base64 = params.get("content"), text_param("encoding") == "base64"
    if not isinstance(content, str):
        raise AirflowFailException("the content is missing")
    try:
        place = place_named(lender_named(text_param("lender")), text_param("kind"))
        name, person = text_param("name") or "", current_run().actor
        return hand_in(
            s3_client(), bucket(), place, name, decode(content, is_base64=is_base64), person=person
        )
    except HandInError as error:
        raise AirflowFailException(str(error)) from None


def watch() -> dict[str, Any]:
    """Compare what came with what was expected; fails once, in the run that finds a file overdue."""
    from turno_lms.ingestion.watch import watch_files

    lenders = read_lenders()[0].values()
    with connect(Role.INGESTION) as conn:
        report = watch_files(conn, lenders, datetime.now(UTC), current_run())
    for one in report.deadlines:
        _logger.info("%s", one.to_text())
    if report.newly_overdue:
        raise AirflowFailException("\n".join(report.newly_overdue))
    return report.to_dict()


def _under_version(conn: WarehouseConnection, lender: Lender, version: str | None) -> Lender:
    from turno_lms.lenders import mapping_versions

    if version in (None, lender.mapping_version):
        return lender
    try:
        with conn.transaction():
            return mapping_versions.read(conn, lender.slug, str(version))
    except mapping_versions.MappingVersionError as error:
        raise AirflowFailException(str(error)) from None


def _lender_of(conn: WarehouseConnection, reject_id: int) -> str | None:
    from turno_lms.ingestion.rejects import lender_of

    return lender_of(conn, reject_id)


def _day(name: str) -> date | None:
    text = text_param(name)
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise AirflowFailException(f"{name}: {error}") from None


def _numbers(values: Any) -> list[int]:
    """Reject ids as a form gives them: a list of numbers or of their texts."""
    texts: Iterable[Any] = values if isinstance(values, list) else [values]
    numbers = [str(text).strip() for text in texts if str(text or "").strip()]
    if not numbers or not all(text.isdecimal() for text in numbers):
        raise AirflowFailException("give the reject ids as numbers, one a line")
    return [int(text) for text in numbers]


def _cells(text: str | None) -> dict[str, str]:
    """`Heading = text`, one a line."""
    cells: dict[str, str] = {}
    for line in (text or "").splitlines():
        heading, equals, value = line.partition("=")
        if not equals and line.strip():
            raise AirflowFailException(f"{line!r}: write corrected cells as Heading = text, one a line")
        if equals:
            cells[heading.strip()] = value.strip()
    return cells
