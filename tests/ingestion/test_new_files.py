"""Which files are new: listing, sensor and trigger agree with the processing log."""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

import pytest

from local_stack.environment import warehouse_connections

# before anything imports airflow, which reads its home once and makes it where there is none
os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="turno-airflow-"))

from tests.ingestion.files import BUCKET, GB_PREFIX, Loads, debit, gb_csv
from turno_lms.ingestion.files import FilePlace, LenderFile, describe_file, find_new_files, places_of
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.warehouse.connection import Role

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.triggers.base import TriggerEvent

    from turno_lms.ingestion.sensors import NewFileSensor

GB_PLACE = FilePlace("gb", "nach_response", GB_PREFIX, "*.csv")
NO_CONTEXT = cast("Context", {})


def new_keys(loads: Loads) -> list[str]:
    return [file.key for file in find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"])]


@pytest.mark.parametrize(
    ("key", "covered"),
    [
        (f"{GB_PREFIX}a.csv", True),
        (f"{GB_PREFIX}a.CSV", False),
        (f"{GB_PREFIX}old/a.csv", False),
        (f"{GB_PREFIX}", False),
        ("lenders/gb/nach_response_old/a.csv", False),
        (f"x/{GB_PREFIX}a.csv", False),
    ],
)
def test_a_pattern_stays_inside_its_prefix(key: str, covered: bool) -> None:
    assert GB_PLACE.covers(key) is covered


def test_only_files_of_the_lender_s_kinds_are_found(loads: Loads) -> None:
    for key in (
        f"{GB_PREFIX}b.csv",
        f"{GB_PREFIX}notes.txt",
        f"{GB_PREFIX}old/c.csv",
        "lenders/gb/d.csv",
        f"{GB_PREFIX}",
    ):
        loads.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")
    (file,) = find_new_files(loads.conn, loads.s3, BUCKET, loads.lenders["gb"])
    assert (file.key, file.kind, file.size_bytes) == (f"{GB_PREFIX}b.csv", "nach_response", 1)
    assert LenderFile.from_dict(json.loads(json.dumps(file.to_dict()))) == file
    assert describe_file(loads.s3, BUCKET, loads.lenders["gb"], file.key) == file


def test_a_file_is_new_until_its_version_has_a_final_state(loads: Loads) -> None:
    loaded = loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    refused = loads.put(f"{GB_PREFIX}b.csv", b"")
    assert new_keys(loads) == [loaded.key, refused.key]
    loads.ingest(loaded)
    with pytest.raises(FileRefusedError):
        loads.ingest(refused)
    assert new_keys(loads) == []
    loads.put(loaded.key, gb_csv(debit(reference="T2")))
    assert new_keys(loads) == [loaded.key]


def test_a_listing_of_more_than_one_page_is_read_to_its_end(loads: Loads) -> None:
    """S3 answers with 1000 keys at most."""
    for number in range(1005):
        loads.s3.put_object(Bucket=BUCKET, Key=f"{GB_PREFIX}{number:04}.csv", Body=b"x")
    assert len(new_keys(loads)) == 1005


@pytest.fixture
def airflow_connections(
    monkeypatch: pytest.MonkeyPatch, warehouse_role_url: Callable[[str], str], s3_url: str
) -> None:
    """The connections a worker and the triggerer have."""
    s3 = {
        "conn_type": "aws", "login": "test", "password": "test", "extra": {"region_name": "ap-south-1", "endpoint_url": s3_url},
    }  # fmt: skip
    url = warehouse_role_url(Role.INGESTION).replace("postgresql://", "postgres://", 1)
    for name, value in warehouse_connections(lambda _role: url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_S3", json.dumps(s3))


def sensor(loads: Loads, **options: Any) -> "NewFileSensor":
    from turno_lms.ingestion.sensors import NewFileSensor

    places = places_of(loads.lenders["gb"])
    return NewFileSensor(
        task_id="wait_for_file",
        places=places,
        bucket_name=BUCKET,
        aws_conn_id="turno_s3",
        poke_interval=1,
        **options,
    )


@pytest.mark.usefixtures("airflow_connections")
def test_the_sensor_lets_a_run_through_when_a_new_file_is_there(loads: Loads) -> None:
    loads.put(f"{GB_PREFIX}a.csv", gb_csv(debit()))
    sensor(loads).execute(NO_CONTEXT)


@pytest.mark.usefixtures("airflow_connections")
@pytest.mark.parametrize("wait", [True, "True", "true"])
def test_the_sensor_defers_while_everything_is_loaded(loads: Loads, wait: bool | str) -> None:
    from airflow.sdk.exceptions import TaskDeferred

    loads.gb(gb_csv(debit()))
    with pytest.raises(TaskDeferred) as deferred:
        sensor(loads, wait=wait, timeout=90).execute(NO_CONTEXT)
    path, arguments = deferred.value.trigger.serialize()
    assert path == "turno_lms.ingestion.triggers.UnseenFileTrigger"
    assert json.loads(json.dumps(arguments)) == arguments
    assert arguments["poke_seconds"] == 1
    assert deferred.value.timeout is not None
    assert deferred.value.timeout.total_seconds() == 90


@pytest.mark.usefixtures("airflow_connections")
@pytest.mark.parametrize("wait", [False, "False"])
def test_a_run_that_does_not_wait_goes_through_without_a_file(loads: Loads, wait: bool | str) -> None:
    sensor(loads, wait=wait).execute(NO_CONTEXT)


async def first_event(events: AsyncIterator["TriggerEvent"]) -> Any:
    return (await anext(events)).payload


@pytest.mark.usefixtures("airflow_connections")
def test_the_trigger_waits_for_the_version_that_is_not_loaded(loads: Loads) -> None:
    from turno_lms.ingestion.triggers import UnseenFileTrigger

    loads.gb(gb_csv(debit()))
    trigger = UnseenFileTrigger.of(BUCKET, places_of(loads.lenders["gb"]), "turno_s3", 1)

    async def scenario() -> Any:
        event = asyncio.ensure_future(first_event(trigger.run()))
        done, _ = await asyncio.wait([event], timeout=2.5)
        assert not done, "the trigger fired though every version is loaded"
        await asyncio.to_thread(loads.put, f"{GB_PREFIX}a.csv", gb_csv(debit(reference="T2")))
        return await asyncio.wait_for(event, timeout=30)

    assert asyncio.run(scenario()) == {"status": "success", "message": f"new: {GB_PREFIX}a.csv"}


@pytest.mark.usefixtures("airflow_connections")
def test_a_trigger_that_cannot_look_says_why_and_fails_the_task(loads: Loads) -> None:
    from airflow.sdk.exceptions import AirflowException

    from turno_lms.ingestion.triggers import UnseenFileTrigger

    trigger = UnseenFileTrigger.of("no-such-bucket", places_of(loads.lenders["gb"]), "turno_s3", 1)
    event = asyncio.run(first_event(trigger.run()))
    assert event["status"] == "error"
    assert "NoSuchBucket" in event["message"]
    with pytest.raises(AirflowException, match="NoSuchBucket"):
        sensor(loads).execute_complete(NO_CONTEXT, event)
