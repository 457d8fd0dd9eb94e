"""The steps of the DAGs that load files: wait, find the files of a run, load one, tell whether there is news."""

from collections.abc import Iterable, Sequence
from typing import Any

from airflow.sdk import Param, get_parsing_context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.domain.names import INGEST
from turno_lms.ingestion.files import FilePlace, LenderFile, describe_file, find_new_files, places_of
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.sensors import NewFileSensor
from turno_lms.lenders.registry import load_lender, mappings_directory, read_lenders
from turno_lms.lenders.schema import Lender
from turno_lms.orchestration.connections import S3_CONN_ID, bucket, s3_client
from turno_lms.orchestration.defaults import Pool, longest_gap
from turno_lms.orchestration.runs import current_run, label_task, text_param
from turno_lms.warehouse.connection import Role, connect

SIDE_BY_SIDE = 64
"""Runs of one DAG at once: waiting ones use no worker, and one started by hand must never queue behind them."""
MOST_FILES = 1000
"""Files of one run, under Airflow's limit for mapped tasks (1024); the next run takes the rest."""


def lenders_to_parse() -> list[Lender]:
    """All lenders that can be used, in a fixed order; for a task that is about to run, only its own.

    What is wrong with the others is the import error of dags/check_lender_mappings.py: Airflow drops all DAGs of a
    file that has an error, so it must not be this one's.
    """
    dag_id = get_parsing_context().dag_id or ""
    if not dag_id.startswith(INGEST):
        return [lender for _, lender in sorted(read_lenders()[0].items())]
    return [load_lender(path) for path in mappings_directory().glob(f"{dag_id.removeprefix(INGEST)}.y*ml")]


def key_param(places: Sequence[FilePlace]) -> Param:
    """The form field for the key of one file."""
    expected = ", ".join(f"`{place.prefix}{place.pattern}`" for place in places)
    return Param(
        None,
        type=["null", "string"],
        maxLength=1024,
        title="Key of one file",
        description_md=f"Load only this object of the bucket ({expected}), even if this version of it was "
        "refused or halted before. Empty: every file version that has not been dealt with.",
    )


def wait_for_new_file(places: Sequence[FilePlace], *crons: str) -> NewFileSensor:
    """The first task of a run. Only a run that the clock started waits, and until the schedule's next run at least, so
    that a file which comes late is taken when it comes. No file is no failure.
    """
    return NewFileSensor(
        task_id="wait_for_file",
        places=places,
        bucket_name=bucket(),
        aws_conn_id=S3_CONN_ID,
        wait="{{ dag_run.run_type == 'scheduled' }}",
        poke_interval=60,
        timeout=longest_gap(*crons),
        soft_fail=True,
        pool=Pool.FILE_WAIT,  # lenders share a schedule: their sensors are not to start all at once
    )


def find_lender_files(lender: Lender) -> list[dict[str, Any]]:
    """The files of this run: the one in the form, or all that are new."""
    key = text_param("key")
    if key:
        return [_file_under(key, places_of(lender), lender).to_dict()]
    with connect(Role.INGESTION) as conn:
        return [file.to_dict() for file in find_new_files(conn, s3_client(), bucket(), lender)[:MOST_FILES]]


def load_lender_file(lender: Lender, file: dict[str, Any]) -> dict[str, Any]:
    """Load one version; one that is refused fails the task at once, since a retry could not help it."""
    from turno_lms.ingestion.load import ingest_file

    label_task(file["key"])
    with connect(Role.INGESTION) as conn:
        try:
            return ingest_file(conn, s3_client(), lender, LenderFile.from_dict(file), current_run()).to_dict()
        except FileRefusedError as refusal:
            raise AirflowFailException(str(refusal)) from None  # its message is all there is to say


def find_umrn_keys() -> list[str]:
    """The UMRN master files of this run: the one in the form, or all that are new."""
    from turno_lms.ingestion.umrn import UMRN_PLACE, find_new_umrn_files

    key = text_param("key")
    if key and not UMRN_PLACE.covers(key):
        raise AirflowFailException(
            f"{key} is no UMRN master: those are {UMRN_PLACE.prefix}{UMRN_PLACE.pattern}. Check the key"
        )
    if key:
        return [key]
    with connect(Role.INGESTION) as conn:
        return [file.key for file in find_new_umrn_files(conn, s3_client(), bucket())[:MOST_FILES]]


def load_umrn_file(key: str) -> dict[str, Any]:
    """Load the version of a UMRN master file that stands under `key`."""
    from turno_lms.ingestion import umrn

    label_task(key)
    with connect(Role.INGESTION) as conn:
        try:
            return umrn.load_umrn_file(conn, s3_client(), bucket(), key, current_run()).to_dict()
        except FileRefusedError as refusal:
            raise AirflowFailException(str(refusal)) from None  # its message is all there is to say


def count_loaded(reports: Iterable[dict[str, Any]] | None) -> int:
    """How many files of a run brought rows or put loaded ones in question; when none did it skips the calling task,
    and the asset it emits.
    """
    news: int = sum(
        bool(report["rows_superseded"]) or (report["state"] == "loaded" and report["rows_accepted"] > 0)
        for report in reports or ()
    )
    if not news:
        raise AirflowSkipException("no file brought rows")
    return news


def _file_under(key: str, places: Sequence[FilePlace], lender: Lender) -> LenderFile:
    """The version that stands under `key`; fails the task, and leaves no trace, if it is not this lender's.

    Another lender's key must not even reach the log: its version would stand there as refused, and that lender's
    own DAG would then pass it by.
    """
    from botocore.exceptions import ClientError

    if not any(place.covers(key) for place in places):
        expected = ", ".join(f"{place.prefix}{place.pattern}" for place in places)
        raise AirflowFailException(
            f"{key} is no file of {lender.slug}, whose files are {expected}. Check the key"
        )
    try:
        return describe_file(s3_client(), bucket(), lender, key)
    except ClientError as error:
        raise AirflowFailException(f"s3://{bucket()}/{key} cannot be read: {error}. Check the key") from error
