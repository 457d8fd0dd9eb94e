"""The steps of the DAGs of the loan origination system's operations: take in, carry out, decide, show."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow.sdk import Param, get_current_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.los.registry import REGISTRY
from turno_lms.orchestration.connections import bucket, fineract_client, s3_client
from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.warehouse.connection import Role, connect

FOLDER = "los/"
"""Files of operations: los/<operation>/ or, of a caller of its own, los/<operation>/<caller>/."""
MOST_FILES = 1000


# ---------------------------------------------------------------- intake


def form_params() -> dict[str, Param]:
    """The form of run_los_operations: rows of one operation, or nothing."""
    return {
        "operation": Param(None, type=["null", "string"], enum=[None, *REGISTRY], title="Operation"),
        "content": Param(
            None,
            type=["null", "string"],
            format="multiline",
            maxLength=2_000_000,
            title="Rows",
            description="CSV with a heading row (`charge.amount` for a field inside `charge`), or JSON.",
        ),
    }


def find_los_files() -> list[dict[str, Any]]:
    """The file versions under los/ that were not dealt with, oldest upload first."""
    from turno_lms.los.intake import is_known

    found = sorted(_listed(), key=lambda each: each[0])
    with connect(Role.POSTER) as conn:
        return [file.to_dict() for _, file in found if not is_known(conn, file)][:MOST_FILES]


def _listed() -> Iterator[tuple[Any, Any]]:
    from turno_lms.los.intake import FILE_CALLER, LosFile

    pages = s3_client().get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=FOLDER)
    for entry in (entry for page in pages for entry in page.get("Contents", [])):
        operation, *caller, name = entry["Key"].removeprefix(FOLDER).split("/")
        if name and operation in REGISTRY and len(caller) <= 1:
            etag = entry["ETag"].strip('"')
            file = LosFile(bucket(), entry["Key"], etag, operation, caller[0] if caller else FILE_CALLER)
            yield entry["LastModified"], file


def take_los_file(file: dict[str, Any]) -> dict[str, Any]:
    """Land one file, its bad rows refused with field and reason. Fails for one that cannot be read."""
    from turno_lms.ingestion.refusals import FileRefusedError
    from turno_lms.los import intake

    los_file, run = intake.LosFile(**file), current_run()
    with TemporaryDirectory(prefix="turno-los-") as folder, connect(Role.POSTER) as conn:
        path = Path(folder) / "file"
        answer = s3_client().get_object(
            Bucket=los_file.bucket, Key=los_file.key, IfMatch=f'"{los_file.etag}"'
        )
        path.write_bytes(answer["Body"].read())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        try:
            return intake.land_file(conn, los_file, digest, _incoming(path, los_file.key), run).to_dict()
        except FileRefusedError as refused:
            intake.refuse_file(conn, los_file, str(refused), run)
            conn.commit()
            raise AirflowFailException(str(refused)) from None  # its message is all there is to say


def _incoming(path: Path, name: str) -> Iterator[Any]:
    from turno_lms.ingestion.readers.plain import plain_rows
    from turno_lms.los.intake import Incoming

    for row in plain_rows(path, name):
        yield Incoming(row.number, row.cells, row.is_text)


def take_los_form() -> dict[str, Any]:
    """Land what the form holds; fails with row and field if none of it is good, skips if there is nothing."""
    from turno_lms.ingestion.refusals import FileRefusedError
    from turno_lms.los import intake

    operation, content = text_param("operation"), text_param("content")
    if content is None:
        raise AirflowSkipException("nothing was typed into the form")
    if operation is None:
        raise AirflowFailException("choose the operation that the rows are of")
    run = current_run()
    with TemporaryDirectory(prefix="turno-los-") as folder, connect(Role.POSTER) as conn:
        path = Path(folder) / "form"
        path.write_text(content, encoding="utf-8")
        try:
            rows = _incoming(path, "the form")
            taken = intake.land_form(conn, operation, f"form:{run.actor}", rows, run)
        except FileRefusedError as refused:
            raise AirflowFailException(str(refused)) from None
    if taken.refused and not taken.accepted and not taken.duplicate:
        raise AirflowFailException(f"no row was taken: {'; '.join(taken.first_problems)}")
    return taken.to_dict()


# ---------------------------------------------------------------- carrying out


def claim_operations() -> dict[str, Any]:
    """Make a row of state for every new submission."""
    from turno_lms.los.ledger import claim

    with connect(Role.POSTER) as conn:
        return claim(conn, current_run()).to_dict()


def plan_operations(kind: str, chunks: int) -> list[list[str]]:
    """The clients or loans with something to do, in at most `chunks` parts of about equal size."""
    from turno_lms.los.ledger import due_subjects

    with connect(Role.POSTER) as conn:
        subjects = due_subjects(conn, kind)
    return [part for part in (subjects[start::chunks] for start in range(chunks)) if part]


def run_operations(subjects: list[str], threads: int) -> dict[str, Any]:
    """Carry out what is due for these clients or loans."""
    from turno_lms.lenders.registry import load_lenders
    from turno_lms.los.runner import run_chunk

    return run_chunk(subjects, current_run(), load_lenders(), threads=threads).to_dict()


def announce_loans(reports: Any) -> int:
    """How many loans changed in Fineract; none skips the task and the asset it emits."""
    changed: int = sum(report["loans_changed"] for report in reports or ())
    if not changed:
        raise AirflowSkipException("no loan has changed")
    return changed


def report_operations() -> list[dict[str, Any]]:
    """How all operations stand, by operation, state and reason, with the age of the oldest."""
    from turno_lms.los.runner import standing

    with connect(Role.POSTER) as conn:
        return standing(conn)


# ---------------------------------------------------------------- people


def decide_operation() -> str:
    """Do what the form says about a submission that waits for a person."""
    from turno_lms.los import decisions

    operation, reference, action = text_param("operation"), text_param("reference"), text_param("action")
    if not (operation and reference and action):
        raise AirflowFailException("operation, reference and action must be filled in")
    named = decisions.Named(operation, reference, text_param("caller"))
    with connect(Role.POSTER) as conn:
        try:
            decisions.decide(
                conn, named, decisions.Action(action), text_param("reason") or "", current_run().actor
            )
        except decisions.DecisionError as refused:
            raise AirflowFailException(str(refused)) from None
    return f"{operation} {reference}: {action}"


def show_loan() -> dict[str, Any]:
    """A loan's full state from Fineract and the warehouse, personal data masked."""
    from turno_lms.los.loan_state import loan_state

    loan_id, run = text_param("loan_id"), current_run()
    if loan_id is None:
        raise AirflowFailException("fill in the loan's id")
    with connect(Role.POSTER) as conn, fineract_client(run) as client:
        return loan_state(conn, client, loan_id)


# ---------------------------------------------------------------- raw calls


def prepare_raw_call() -> dict[str, Any]:
    """Check the form's call against what may be called; a write is put on record to be approved."""
    from turno_lms.los import raw_calls

    with connect(Role.POSTER) as conn:
        try:
            call = raw_calls.read_call(get_current_context()["params"])
            approval_id = raw_calls.ask(conn, call, current_run()) if call.is_write else None
        except raw_calls.RawCallError as refused:
            raise AirflowFailException(str(refused)) from None
    return {"approval_id": approval_id, "shown": call.shown(), "requested_by": current_run().actor}


def send_raw_call(prepared: dict[str, Any]) -> dict[str, Any]:
    """Send the call once; a write only under its approval. Returns the answer, personal data masked."""
    from turno_lms.approvals.approvals import ApprovalError
    from turno_lms.los import raw_calls

    run = current_run()
    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        try:
            call = raw_calls.read_call(get_current_context()["params"])
            return raw_calls.send(conn, client, call, prepared["approval_id"], run)
        except (raw_calls.RawCallError, ApprovalError) as refused:
            raise AirflowFailException(str(refused)) from None


# ---------------------------------------------------------------- the loan master


def read_loan_schedules() -> dict[str, Any]:
    """Read the schedules that the warehouse does not have, or that are older than what changed of their loan."""
    from turno_lms.los.schedules import read_missing_schedules

    run = current_run()
    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        return read_missing_schedules(conn, client, run)


def report_loan_drift() -> dict[str, Any]:
    """Compare the loan master with Fineract; each loan that differs is one open exception."""
    from turno_lms.los.drift import report_drift

    run = current_run()
    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        return report_drift(conn, client, run).to_dict()
