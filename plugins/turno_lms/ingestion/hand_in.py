"""Files from people: put where the lender's own files arrive, with the person's name, and loaded like those."""

import base64
import binascii
import re

from turno_lms.ingestion.archive import HANDED_IN_BY
from turno_lms.ingestion.files import FilePlace, ObjectStore, places_of
from turno_lms.lenders.schema import Lender

MAX_BYTES = 5_000_000
"""What a form may hold; larger files go into the bucket directly."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]{0,150}")


class HandInError(ValueError):
    """A file that cannot be taken; the message says why."""


def decode(content: str, *, is_base64: bool) -> bytes:
    """The bytes of what a person pasted. Raises HandInError for broken base64, nothing at all, and too much."""
    try:
        data = base64.b64decode("".join(content.split()), validate=True) if is_base64 else content.encode()
    except (binascii.Error, ValueError) as error:
        raise HandInError(f"the content is not base64: {error}") from error
    if not data:
        raise HandInError("the content is empty")
    if len(data) > MAX_BYTES:
        raise HandInError(
            f"{len(data)} bytes are more than the form takes ({MAX_BYTES}): put it into the bucket"
        )
    return data


def hand_in(s3: ObjectStore, bucket: str, place: FilePlace, name: str, content: bytes, *, person: str) -> str:
    """Put a file under its kind's prefix; returns its key. Under a known name it is a new version of that file.

    Raises HandInError for a name that is no plain file name, or that the kind's pattern does not cover.
    """
    key = f"{place.prefix}{name}"
    if not _NAME.fullmatch(name):
        raise HandInError(f"{name!r} is no plain file name: letters, digits, blanks and . _ - ( ) only")
    if not place.covers(key):
        raise HandInError(
            f"{name!r} is no file of {place.lender}.{place.kind}: its names are {place.pattern}"
        )
    # S3 carries metadata as ASCII headers
    who = person.encode("ascii", "backslashreplace").decode()
    s3.put_object(Bucket=bucket, Key=key, Body=content, Metadata={HANDED_IN_BY: who})
    return key


def place_named(lender: Lender, kind: str | None) -> FilePlace:
    """The place of a file kind, or of the only one. Raises HandInError when it is not clear which."""
    places = places_of(lender)
    found = [place for place in places if kind in (None, place.kind)]
    if len(found) != 1:
        raise HandInError(
            f"say which kind of file it is: {', '.join(place.kind for place in places) or 'none'}"
        )
    return found[0]
