"""What a file looks like, by its bytes: names lie."""

from collections.abc import Iterable
from pathlib import Path

from turno_lms.domain.states import FileError
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.lenders.formats import AnyFormat

_HEAD = 4096
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"
_BY_START: tuple[tuple[bytes, str], ...] = (
    (_OLE, "an XLS workbook, or a workbook protected by a password"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_PAGES = (b"<!doctype html", b"<html", b"<table", b"<head", b"<body", b"<meta", b"<style")
_TEXT, _PAGE, _XML, _JSON = "text", "an HTML page", "an XML document", "JSON"
_WORKBOOK, _ARCHIVE = "an XLSX workbook", "a zip archive"
_OF_FORMAT = {
    "csv": (_TEXT, _JSON),
    "fixed_width": (_TEXT, _JSON),
    "xls": (_BY_START[0][1],),
    "xlsx": (_WORKBOOK, _ARCHIVE, _BY_START[0][1]),
    "html": (_PAGE, _XML),
    "json": (_JSON,),
    "json_lines": (_JSON,),
}
"""What a file of each format may look like. Text may begin with a bracket; a workbook may be encrypted."""
_ARTICLE = {
    "csv": "delimited text",
    "fixed_width": "fixed-width text",
    "html": "an HTML page",
    "json": "JSON",
}


def looks_like(path: Path) -> str:
    """What the first bytes of a file say it is."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith(_ZIP):
        return _WORKBOOK if b"[Content_Types].xml" in head or b"xl/" in head else _ARCHIVE
    known = next((kind for start, kind in _BY_START if head.startswith(start)), None)
    return known or _text_kind(head.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").lstrip().lower())


def _text_kind(head: bytes) -> str:
    bare = head.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    if bare.startswith(_PAGES) or (bare.startswith(b"<") and any(page in bare for page in _PAGES)):
        return _PAGE
    if bare.startswith(b"<?xml"):
        return _XML
    return _JSON if bare.startswith((b"{", b"[")) else _TEXT


def check_kind(path: Path, file_format: AnyFormat, name: str) -> None:
    """Raise FileRefusedError when a file is of another kind than its format, and say what it looks like."""
    _check(looks_like(path), _OF_FORMAT[file_format.type], _said(file_format.type), name)


def check_archive(path: Path, name: str) -> None:
    """The same for an archive. A workbook is an archive too, but never one with the lender's file in it."""
    _check(looks_like(path), (_ARCHIVE,), "a zip archive", name)


def _said(format_type: str) -> str:
    return _ARTICLE.get(format_type, f"{format_type.upper().replace('_', ' ')}")


def _check(found: str, fitting: Iterable[str], said: str, name: str) -> None:
    if found not in fitting:
        message = f"{name} is {said} by its mapping but looks like {found}"
        raise FileRefusedError(
            FileError.UNREADABLE_FILE,
            f"{message}. Correct the mapping's format, or ask the lender for the right file",
        )
