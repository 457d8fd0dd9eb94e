"""Lender files in S3, and which of their versions the processing log has not finished with."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

from turno_lms.ingestion import queries
from turno_lms.lenders.schema import Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection


class ObjectStore(Protocol):
    """The part of boto3's S3 client that ingestion uses."""

    def get_paginator(self, operation_name: str) -> Any: ...  # noqa: D102
    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def head_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def copy_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def upload_file(self, **kwargs: Any) -> None: ...  # noqa: D102


@dataclass(frozen=True)
class LenderFile:
    """One version of a file: the key and etag name it for good, whatever the key holds later."""

    bucket: str
    key: str
    etag: str
    size_bytes: int
    lender: str
    kind: str | None
    """None when no file kind of the lender's mapping covers the key."""
    uploaded_at: str | None = field(default=None, compare=False)
    """When it was put into the bucket, in ISO form and UTC, as S3 says."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for an XCom."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "LenderFile":
        """The inverse of `to_dict`."""
        return cls(**data)

    @classmethod
    def of_object(
        cls, bucket: str, key: str, found: Mapping[str, Any], lender: str, kind: str | None
    ) -> "LenderFile":
        """From S3's answer about an object: an entry of a listing, or the head of one."""
        size = found["Size"] if "Size" in found else found["ContentLength"]
        return cls(
            bucket, key, found["ETag"].strip('"'), size, lender, kind, found["LastModified"].isoformat()
        )


@dataclass(frozen=True)
class FilePlace:
    """Where files of one kind arrive; `*` in the pattern does not cross a slash."""

    lender: str
    kind: str
    prefix: str
    pattern: str

    def covers(self, key: str) -> bool:
        """Whether an object's key is a file of this kind."""
        name = key.removeprefix(self.prefix)
        return (
            key.startswith(self.prefix) and bool(name) and "/" not in name and fnmatchcase(name, self.pattern)
        )


def places_of(lender: Lender) -> list[FilePlace]:
    """Where a lender's files arrive."""
    return [
        FilePlace(lender.slug, kind, spec.s3.prefix, spec.s3.pattern) for kind, spec in lender.files.items()
    ]


def find_new_files(
    conn: WarehouseConnection, s3: ObjectStore, bucket: str, lender: Lender
) -> list[LenderFile]:
    """The lender's file versions in S3 that the log does not have in a final state, oldest upload first.

    Loads that were killed or failed are among them, and a superseded version whose bytes stand under the key again.
    Refused and halted versions are not: they change only by an explicit re-ingest of the key (`describe_file`).
    """
    return new_files(conn, s3, bucket, places_of(lender))


def new_files(
    conn: WarehouseConnection, s3: ObjectStore, bucket: str, places: Iterable[FilePlace]
) -> list[LenderFile]:
    """`find_new_files` for any places."""
    found = [
        file for place in places for file in files_in_pages(_pages(s3, bucket, place.prefix), bucket, place)
    ]
    with conn.transaction():
        rows = conn.execute(queries.KNOWN_VERSIONS, known_parameters(bucket, found)).fetchall()
    return without_known(found, rows)


def describe_file(s3: ObjectStore, bucket: str, lender: Lender, key: str) -> LenderFile:
    """The version that stands under `key` now. Raises botocore's ClientError (404) when there is none."""
    head = s3.head_object(Bucket=bucket, Key=key)
    kind = next((place.kind for place in places_of(lender) if place.covers(key)), None)
    return LenderFile.of_object(bucket, key, head, lender.slug, kind)


def files_in_pages(pages: Iterable[dict[str, Any]], bucket: str, place: FilePlace) -> Iterator[LenderFile]:
    """The files of `place` in answers of S3's ListObjectsV2, oldest upload first."""
    objects = [entry for page in pages for entry in page.get("Contents", []) if place.covers(entry["Key"])]
    for entry in sorted(objects, key=lambda entry: (entry["LastModified"], entry["Key"])):
        yield LenderFile.of_object(bucket, entry["Key"], entry, place.lender, place.kind)


def known_parameters(bucket: str, files: Iterable[LenderFile]) -> dict[str, Any]:
    """The parameters of KNOWN_VERSIONS."""
    return {"bucket": bucket, "keys": [file.key for file in files]}


def without_known(files: Iterable[LenderFile], known: Iterable[Row]) -> list[LenderFile]:
    """The files whose key and etag are not among the rows of KNOWN_VERSIONS."""
    finished = {(row["key"], row["etag"]) for row in known}
    return [file for file in files if (file.key, file.etag) not in finished]


def _pages(s3: ObjectStore, bucket: str, prefix: str) -> Iterable[dict[str, Any]]:
    pages: Iterable[dict[str, Any]] = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix=prefix
    )
    return pages
