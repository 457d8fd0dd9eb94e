"""HTML: every table of a page as rows of text."""

from collections.abc import Iterator
from typing import Any

from lxml import etree, html

from turno_lms.ingestion.sandbox.tasks import RowFiles, Task, unreadable

_MAX_SPAN = 1000
_DEPTH = etree.XPath("count(ancestor::table)")
_TEXTS = etree.XPath(".//text()[count(ancestor::table) = $depth]")
_BYTE_ORDER_MARK = "\ufeff"


def write_tables(task: Task) -> list[str]:
    """Write every table, in their order; returns their names: table 1, table 2 and so on."""
    try:
        text = task.path.read_text(encoding=task.options["encoding"]).removeprefix(_BYTE_ORDER_MARK)
    except UnicodeError as error:
        message = (
            f"{task.name} is not {task.options['encoding']} text: {error}. Was it sent in another encoding?"
        )
        raise unreadable(message) from error
    parser = html.HTMLParser(encoding="utf-8", huge_tree=False, no_network=True)
    try:
        page = html.document_fromstring(text.encode(), parser=parser)
    except (etree.LxmlError, ValueError) as error:
        raise unreadable(f"{task.name} cannot be read as HTML: {error}") from error
    for line_break in page.iter("br"):
        line_break.tail = f"\n{line_break.tail or ''}"
    tables = RowFiles(task)
    for number, table in enumerate(page.iter("table"), start=1):
        tables.write(f"table {number}", _rows(table))
    return tables.names


def _own_texts(cell: Any) -> list[str]:
    """The texts of a cell without those of tables inside it."""
    texts: list[str] = _TEXTS(cell, depth=_DEPTH(cell))
    return texts


def _rows(table: Any) -> Iterator[list[str]]:
    """A table's own rows, not those of tables inside it; a cell over several rows or columns fills its first place."""
    pending: dict[int, int] = {}  # column to rows that a cell further up still covers
    for row in table.xpath("./tr | ./thead/tr | ./tbody/tr | ./tfoot/tr"):
        cells: list[str] = []
        for cell in row.xpath("./td | ./th"):
            _skip_covered(cells, pending)
            rows, columns = _span(cell, "rowspan"), _span(cell, "colspan")
            if rows > 1:
                pending.update(dict.fromkeys(range(len(cells), len(cells) + columns), rows - 1))
            cells.append(" ".join("".join(_own_texts(cell)).split()))
            cells.extend([""] * (columns - 1))
        _skip_covered(cells, pending)
        yield cells


def _skip_covered(cells: list[str], pending: dict[int, int]) -> None:
    while pending.get(len(cells), 0):
        pending[len(cells)] -= 1
        cells.append("")


def _span(cell: Any, name: str) -> int:
    text = str(cell.get(name, "1")).strip()
    return min(max(int(text), 1), _MAX_SPAN) if text.isascii() and text.isdigit() and len(text) < 10 else 1  # noqa: PLR2004
