"""docs/messy-files.md, made anew from the golden samples: `python -m tests.lenders.fates_page > docs/messy-files.md`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from turno_lms.ingestion.preview import preview
from turno_lms.ingestion.readers import open_table
from turno_lms.ingestion.scaffold import CASE_FILE
from turno_lms.lenders.registry import load_lenders
from turno_lms.lenders.schema import Lender

GOLDEN = Path(__file__).parent / "golden"
_WIDTH = 72
_TOP = """\
# One messy file of each layout, and what becomes of its rows

Made from the samples of the shipped mappings by `python -m tests.lenders.fates_page`; a test holds the two together. Row numbers are the file's own. Titles
and headings above the table are left out; a row without a fate is layout (a total, a signature, a blank row). The whole messages: `turno lenders preview`.
"""


def page() -> str:
    """The whole page."""
    lenders = load_lenders()
    return "\n".join([_TOP, *(line for slug in sorted(lenders) for line in _section(lenders[slug]))])


def _section(lender: Lender) -> Iterator[str]:
    folder = GOLDEN / lender.slug
    case = yaml.safe_load((folder / CASE_FILE).read_text(encoding="utf-8"))
    kind, sample, master = lender.files[case["kind"]], folder / case["sample"], case.get("umrn_master")
    result = preview(lender, case["kind"], sample, folder / master if master else None)
    fates = {row["row"]: row for row in result.rows}
    yield f"## {lender.name}: {case['kind']}, {kind.format.type}{' in zip' if kind.format.zip else ''}\n"
    yield f"`{case['sample']}` under `{lender.slug}.yml`: " + ", ".join(
        f"{result.summary[f'rows_{part}']} {part}"
        for part in ("accepted", "filtered", "duplicate", "rejected", "layout")
    )
    yield "\n| row | it says | fate | loan | rupees | date |\n| --- | --- | --- | --- | --- | --- |"
    for chunk in open_table(sample, kind, sample.name).chunks:
        for number in range(chunk.first_row, chunk.first_row + len(chunk)):
            yield _row(number, chunk.raw_text(number), fates.get(number, {}))
    yield ""


def _row(number: int, text: str, fate: dict[str, Any]) -> str:
    shown = " ".join(text.split())
    shown = shown if len(shown) <= _WIDTH else f"{shown[:_WIDTH]}..."
    told = fate.get("fate", "")
    if fate.get("reason"):
        told += f": {fate['reason']}"
    cells = (
        str(number),
        f"`{shown}`" if shown else "",
        told,
        *(fate.get(name) or "" for name in ("loan_id", "amount", "date")),
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(page(), end="")
