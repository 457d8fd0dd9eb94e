"""The rows that count when a sheet holds several tables, and the values that stand once in a file."""

from collections.abc import Iterable, Iterator

from turno_lms.domain.states import FileError
from turno_lms.ingestion.readers.fixed_width import FixedWidthFile
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.ingestion.tables import Chunk, NumberedRow, TextRow, same_heading
from turno_lms.lenders.formats import FileValue
from turno_lms.lenders.schema import FileKind

_ROWS_KEPT = 1000


def starts_with(row: TextRow, starts: Iterable[str]) -> bool:
    """Whether the first cell that holds text starts with one of the texts, case and blanks aside."""
    first = next((text for text in map(same_heading, row) if text), "")
    return first.startswith(tuple(map(same_heading, starts)))


def skip_to(rows: Iterator[NumberedRow], starts: Iterable[str], place: str) -> list[NumberedRow]:
    """Take rows up to the one that starts so, and return the first of them, for the values they may hold.

    Raises FileRefusedError when no row starts so.
    """
    skipped: list[NumberedRow] = []
    for number, row in rows:
        if len(skipped) < _ROWS_KEPT:
            skipped.append((number, row))
        if starts_with(row, starts):
            return skipped
    message = f"{place}: no row starts with {' or '.join(starts)}, below which the mapping's section begins"
    raise FileRefusedError(FileError.HEADING_NOT_FOUND, f"{message}. Is it a file of this kind?")


def before(chunks: Iterable[Chunk], starts: Iterable[str], place: str) -> Iterator[Chunk]:
    """The rows above the one that starts so. Raises FileRefusedError at the end when there is none."""
    for chunk in chunks:
        above = next((i for i, row in enumerate(chunk.rows) if starts_with(row, starts)), len(chunk))
        if above:
            yield chunk.head(above)
        if above < len(chunk):
            return
    message = f"{place}: no row starts with {' or '.join(starts)}, above which the mapping's section ends"
    raise FileRefusedError(FileError.UNREADABLE_FILE, f"{message}. Was the file cut off?")


def file_values(
    kind: FileKind, above: Iterable[NumberedRow], everything: Iterator[Chunk], place: str
) -> dict[str, str]:
    """The values that the mapping names, from rows above the headings; where they are not, from `everything`.

    Raises FileRefusedError for a value that is not there, or there more than once with different texts.
    """
    rows = [row for _, row in above]
    found = {name: _texts(value, rows) for name, value in kind.values.items()}
    missing = {name: kind.values[name] for name, texts in found.items() if not texts}
    if missing:
        for chunk in everything:
            for name, value in missing.items():
                found[name] |= _texts(value, chunk.rows)
    return {name: _only(texts, name, place) for name, texts in found.items()}


def record_values(kind: FileKind, file: FixedWidthFile, place: str) -> dict[str, str]:
    """The values that the mapping names, from the headers and trailers of a fixed-width file."""
    return {
        name: _only(file.value_of(value.record, value.field) - {""}, name, place)
        for name, value in kind.values.items()
        if value.record and value.field
    }


def _texts(value: FileValue, rows: Iterable[TextRow]) -> set[str]:
    place = (value.cell or 1) - 1
    starts = value.first_cell_starts_with or ()
    fitting = (row for row in rows if len(row) > place and starts_with(row, starts))
    return {text for row in fitting if (text := row[place].strip())}


def _only(texts: set[str], name: str, place: str) -> str:
    if len(texts) == 1:
        return next(iter(texts))
    found = f"says several things: {', '.join(sorted(texts)[:5])}" if texts else "is not there"
    message = f"{place}: the value {name}, which the mapping looks for once in the file, {found}"
    raise FileRefusedError(
        FileError.FILE_VALUE_UNCLEAR, f"{message}. Correct the file, or `values` in the mapping"
    )
