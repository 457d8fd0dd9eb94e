"""Archived bytes: every file version is kept under its sha256 before anything is made of it."""

import hashlib
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from turno_lms.domain.states import FileState
from turno_lms.ingestion import log
from turno_lms.ingestion.files import LenderFile, ObjectStore
from turno_lms.warehouse.connection import Row, WarehouseConnection

ARCHIVE_PREFIX = "archive/"
_BLOCK = 1 << 20
_NOT_FOUND = 404


def archive(conn: WarehouseConnection, s3: ObjectStore, file: LenderFile, row: Row, path: Path) -> Row:
    """Fetch the version's bytes to `path`, see them archived, and move its log row on to `archived`.

    A version that an earlier attempt archived comes from there, since its key may hold something else by now. Raises
    botocore's ClientError (412) when the key was overwritten before the version was ever fetched.
    """
    if row["sha256"]:
        _fetch(s3, path, Bucket=file.bucket, Key=f"{ARCHIVE_PREFIX}{row['sha256']}")
    else:
        sha256 = _fetch(s3, path, Bucket=file.bucket, Key=file.key, IfMatch=f'"{file.etag}"')
        _put_once(s3, path, file.bucket, f"{ARCHIVE_PREFIX}{sha256}")
        row = {**row, "sha256": sha256}
    if row["state"] == FileState.ARCHIVED:
        return row
    return log.move(conn, row["file_id"], FileState.ARCHIVED, sha256=row["sha256"])


def _fetch(s3: ObjectStore, path: Path, **source: Any) -> str:
    digest = hashlib.sha256()
    body = s3.get_object(**source)["Body"]
    with path.open("wb") as target:
        for block in body.iter_chunks(_BLOCK):
            digest.update(block)
            target.write(block)
    return digest.hexdigest()


def _put_once(s3: ObjectStore, path: Path, bucket: str, key: str) -> None:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND:
            raise
        s3.upload_file(Filename=str(path), Bucket=bucket, Key=key)
