"""Archived bytes: every file version is kept under its sha256 before anything is made of it."""

import hashlib
from base64 import b64encode
from pathlib import Path

from botocore.exceptions import ClientError

from turno_lms.domain.states import FileState
from turno_lms.ingestion import log
from turno_lms.ingestion.files import LenderFile, ObjectStore
from turno_lms.warehouse.connection import Row, WarehouseConnection

ARCHIVE_PREFIX = "archive/"
HANDED_IN_BY = "turno-handed-in-by"
"""Metadata of an object that a person handed in: who."""
_BLOCK = 1 << 20
_NOT_FOUND = 404


def archive(conn: WarehouseConnection, s3: ObjectStore, row: Row, path: Path) -> Row:
    """Fetch the version's bytes to `path`, see them archived, and move its log row on to `archived`.

    A version that an earlier attempt archived comes from there, since its key may hold something else by now. Raises
    botocore's ClientError (412) when the key was overwritten before the version was ever fetched.
    """
    sha256, metadata = fetch(s3, row, path)
    if row["sha256"] is None:
        keep(s3, row, path, sha256)
        row = {**row, "sha256": sha256, "handed_in_by": metadata.get(HANDED_IN_BY)}
    if row["state"] != FileState.RECEIVED:
        return row
    found = {name: row[name] for name in ("sha256", "handed_in_by")}
    return log.move(conn, row["file_id"], FileState.ARCHIVED, **found)


def fetch(s3: ObjectStore, row: Row, path: Path) -> tuple[str, dict[str, str]]:
    """Write the bytes of a log row's version to `path`, from the archive if they are there.

    Returns their sha256 and the metadata of the object. Raises botocore's ClientError (412) when they are not archived
    and the key holds something else by now, and RuntimeError for an archived object whose bytes are not its sha256's.
    """
    source = {"Key": f"{ARCHIVE_PREFIX}{row['sha256']}"} if row["sha256"] else _under_key(row)
    answer = s3.get_object(Bucket=row["bucket"], **source)
    digest = hashlib.sha256()
    with path.open("wb") as target:
        for block in answer["Body"].iter_chunks(_BLOCK):
            digest.update(block)
            target.write(block)
    sha256 = digest.hexdigest()
    if row["sha256"] not in (None, sha256):
        raise RuntimeError(
            f"{source['Key']} is damaged: its sha256 is {sha256}. Restore it, or hand the file in again"
        )
    return sha256, answer.get("Metadata", {})


def stands_under_key(s3: ObjectStore, file: LenderFile) -> bool:
    """Whether the version is what its key holds now."""
    try:
        head = s3.head_object(Bucket=file.bucket, Key=file.key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND:
            raise
        return False
    return bool(head["ETag"].strip('"') == file.etag)


def _under_key(row: Row) -> dict[str, str]:
    return {"Key": row["key"], "IfMatch": f'"{row["etag"]}"'}


def keep(s3: ObjectStore, row: Row, path: Path, sha256: str) -> None:
    """See the bytes at `path`, of a log row's version, archived under their sha256.

    The store copies what it has and says the sha256 of the copy; where it cannot, the bytes are sent to it.
    """
    bucket, key = row["bucket"], f"{ARCHIVE_PREFIX}{sha256}"
    if not _is_there(s3, bucket, key) and not _copied(s3, row, key, sha256):
        s3.upload_file(Filename=str(path), Bucket=bucket, Key=key)


def _copied(s3: ObjectStore, row: Row, key: str, sha256: str) -> bool:
    """Copy the version inside the store; whether the copy holds exactly the bytes wanted."""
    source = {"Bucket": row["bucket"], "Key": row["key"]}
    try:
        answer = s3.copy_object(
            Bucket=row["bucket"], Key=key, CopySource=source, CopySourceIfMatch=f'"{row["etag"]}"',
            ChecksumAlgorithm="SHA256",
        )  # fmt: skip
    except ClientError:  # overwritten meanwhile, too large for one copy, or the store does not copy
        return False
    said = answer["CopyObjectResult"].get("ChecksumSHA256", "")
    return bool(said == b64encode(bytes.fromhex(sha256)).decode())


def _is_there(s3: ObjectStore, bucket: str, key: str) -> bool:
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != _NOT_FOUND:
            raise
        return False
    return True
