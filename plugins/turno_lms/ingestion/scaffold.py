"""The files of a new lender: its mapping, its sample, and the sheet on which the expected fates are written by hand."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from turno_lms.domain.names import check_slug
from turno_lms.ingestion.drafting import DEFAULT_KIND, draft
from turno_lms.ingestion.sniffing import read_sample
from turno_lms.lenders.documents import read_draft

CASE_FILE = "case.yml"
EXPECTED_FILE = "expected.jsonl"
TO_TYPE = "?"
"""What stands in the expected fates until somebody has typed them."""


@dataclass(frozen=True)
class NewLender:
    """Where the files of a new lender go: the mappings' folder, and the folder that holds one case a lender."""

    slug: str
    mappings: Path
    cases: Path

    @property
    def mapping(self) -> Path:
        """The mapping's file."""
        return self.mappings / f"{self.slug}.yml"

    @property
    def case(self) -> Path:
        """The folder of the sample and its expected fates; tests/lenders finds it by itself."""
        return self.cases / self.slug


def scaffold(lender: NewLender, sample: Path, from_draft: Path | None = None) -> list[Path]:
    """Write a new lender's files and return them; nothing that exists is overwritten.

    The mapping is the one in `from_draft`, else drafted from the sample. Raises ValueError for a slug that cannot be,
    FileExistsError, and FileRefusedError when no table can be seen in the sample.
    """
    check_slug(lender.slug)
    for path in (lender.mapping, lender.case):
        if path.exists():
            raise FileExistsError(f"{path} exists already; a new lender overwrites nothing")
    text = from_draft.read_text(encoding="utf-8") if from_draft else draft(sample, lender.slug)
    kind = next(iter(read_draft(text).get("files", {})), DEFAULT_KIND)
    expected = "".join(f"{json.dumps(row)}\n" for row in _rows_to_type(sample))
    lender.case.mkdir(parents=True)
    lender.mapping.write_text(text, encoding="utf-8")
    kept_sample = lender.case / sample.name
    shutil.copyfile(sample, kept_sample)
    case, fates = lender.case / CASE_FILE, lender.case / EXPECTED_FILE
    case.write_text(yaml.safe_dump({"kind": kind, "sample": sample.name}), encoding="utf-8")
    fates.write_text(expected, encoding="utf-8")
    return [lender.mapping, kept_sample, case, fates]


def _rows_to_type(sample: Path) -> Iterator[dict[str, object]]:
    """One line for every row below the headings that is not blank: what its fate is nobody has said yet."""
    for number, row in read_sample(sample).rows:
        if any(map(str.strip, row)):
            yield {
                "row": number,
                "fate": TO_TYPE,
                "reason": None,
                "loan_id": TO_TYPE,
                "amount": TO_TYPE,
                "date": TO_TYPE,
            }
