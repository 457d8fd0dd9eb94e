"""The S3 server: what was put is there after a restart, with the same bytes and etag, as if it had never stopped."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_stack.health import answers
from local_stack.processes import LOOPBACK, free_port, spawn, stop_child, wait_until
from local_stack.s3 import MIRROR_SECONDS

BUCKET = "turnofile"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], tuple["subprocess.Popen[bytes]", Any]]]:
    """Starts a server on the same mirror; returns its process and a client."""
    started = []

    def run() -> tuple["subprocess.Popen[bytes]", Any]:
        port = free_port()
        command = [sys.executable, "-m", "local_stack.s3", "--port", str(port), "--bucket", BUCKET]
        process = spawn([*command, "--mirror", str(tmp_path / "s3")], log=tmp_path / "log")
        started.append(process)
        url = f"http://{LOOPBACK}:{port}"
        assert wait_until(lambda: answers(url), seconds=30), (tmp_path / "log").read_text()
        login = {"aws_access_key_id": "local", "aws_secret_access_key": "local", "region_name": "ap-south-1"}
        return process, boto3.client("s3", endpoint_url=url, **login)

    yield run
    for process in started:
        stop_child(process)


def test_objects_survive_a_restart_with_bytes_etag_time_and_metadata(start: Any) -> None:
    process, s3 = start()
    s3.put_object(
        Bucket=BUCKET,
        Key="lenders/gb/a b.csv",
        Body=b"umrn,amount\n",
        ContentType="text/csv",
        Metadata={"by": "ops"},
    )
    before = s3.head_object(Bucket=BUCKET, Key="lenders/gb/a b.csv")
    stop_child(process)
    _, s3 = start()
    after = s3.get_object(Bucket=BUCKET, Key="lenders/gb/a b.csv")
    assert after["Body"].read() == b"umrn,amount\n"
    for field in ("ETag", "LastModified", "ContentType", "Metadata"):
        assert after[field] == before[field]


def test_an_upload_in_parts_keeps_its_etag(start: Any) -> None:
    process, s3 = start()
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key="big.csv")["UploadId"]
    parts = [b"x" * 5 * 1024 * 1024, b"y"]
    done = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket=BUCKET, Key="big.csv", PartNumber=number, UploadId=upload, Body=part
            )["ETag"],
        }
        for number, part in enumerate(parts, 1)
    ]
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="big.csv", UploadId=upload, MultipartUpload={"Parts": done}
    )
    etag = s3.head_object(Bucket=BUCKET, Key="big.csv")["ETag"]
    assert etag.endswith('-2"')  # of parts: not the md5 of the content
    stop_child(process)
    _, s3 = start()
    assert s3.head_object(Bucket=BUCKET, Key="big.csv")["ETag"] == etag


def test_what_was_replaced_or_deleted_stays_so_and_leaves_no_file(start: Any, tmp_path: Path) -> None:
    process, s3 = start()
    for key, body in (("kept", b"old"), ("kept", b"new"), ("gone", b"gone")):
        s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    stop_child(process)
    process, s3 = start()
    s3.delete_object(Bucket=BUCKET, Key="gone")
    stop_child(process)
    _, s3 = start()
    assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == b"new"
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket=BUCKET, Key="gone")
    assert len(list((tmp_path / "s3").iterdir())) == 2  # the index and one content


def test_a_killed_server_has_what_was_put_some_seconds_ago(start: Any, tmp_path: Path) -> None:
    process, s3 = start()
    s3.put_object(Bucket=BUCKET, Key="early", Body=b"1")
    index = tmp_path / "s3" / "index.json"
    assert wait_until(lambda: index.exists() and "early" in index.read_text(), seconds=5 * MIRROR_SECONDS)
    process.kill()
    _, s3 = start()
    assert s3.get_object(Bucket=BUCKET, Key="early")["Body"].read() == b"1"
