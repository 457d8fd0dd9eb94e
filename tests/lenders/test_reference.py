"""Every example of docs/lender-mapping-reference.md does what is written beside it."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lenders.samples import write_sample
from turno_lms.ingestion.preview import preview
from turno_lms.lenders.registry import MappingError, load_lender

DOCUMENT = Path(__file__).parents[2] / "docs" / "lender-mapping-reference.md"
_FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """A change of the page's mapping, with a sample and its fates or the complaint it meets."""

    title: str
    mapping: dict[str, Any]
    kind: str
    sample_type: str = ""
    sample: str = ""
    fates: tuple[dict[str, Any], ...] = ()
    complaint: str = ""
    error_code: str = ""
    """Of a refused sample; without it the mapping is what is refused."""


def examples() -> Iterator[Example]:
    """The page's examples in order: a `yaml` block begins one, `jsonl` or `refused` ends it."""
    text = DOCUMENT.read_text(encoding="utf-8")
    whole: dict[str, Any] = {}
    mapping: dict[str, Any] = {}
    sample = ("", "")
    for fence in _FENCE.finditer(text):
        language, options, body = fence[1], fence[2].strip(), fence[3]
        title = (
            f"{_HEADING.findall(text[: fence.start()])[-1]}, line {text[: fence.start()].count(chr(10)) + 1}"
        )
        if language == "yaml" and options == "whole":
            whole = mapping = yaml.safe_load(body)
        elif language == "yaml":
            mapping = changed(whole, yaml.safe_load(body))
        elif language == "jsonl" and not options:
            fates = tuple(json.loads(line) for line in body.splitlines())
            yield Example(title, mapping, "statement", *sample, fates)
        elif language == "refused":
            refused = sample if options else ("", "")
            yield Example(title, mapping, "statement", *refused, complaint=body.strip(), error_code=options)
        else:
            sample = (f"{language} {options}", body)


def changed(whole: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The mapping with entries of its kind's parts replaced; null takes one out."""
    mapping = deepcopy(whole)
    kind = mapping["files"]["statement"]
    for part, value in change.items():
        if part in ("format", "thresholds", "expected") or not isinstance(value, dict):
            kind[part] = value
            continue
        kind.setdefault(part, {}).update(value)
        kind[part] = {name: entry for name, entry in kind[part].items() if entry is not None}
    return mapping


EXAMPLES = list(examples())


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.title for example in EXAMPLES])
def test_an_example_does_what_is_written_beside_it(example: Example, tmp_path: Path) -> None:
    mapping = tmp_path / "sample.yml"
    mapping.write_text(yaml.safe_dump(example.mapping, allow_unicode=True), encoding="utf-8")
    if example.complaint and not example.error_code:
        with pytest.raises(MappingError) as caught:
            load_lender(mapping)
        assert example.complaint in str(caught.value)
        return
    lender = load_lender(mapping)
    result = preview(lender, example.kind, write_sample(tmp_path, example.sample_type, example.sample))
    if example.error_code:
        assert result.summary["error_code"] == example.error_code
        assert example.complaint in result.summary.get("error_message", "")
        return
    assert result.summary["state"] == "loaded", result.summary
    wanted = [dict(fate) for fate in example.fates]
    got = [{key: row.get(key) for key in fate} for row, fate in zip(result.rows, example.fates, strict=False)]
    assert got == wanted
    assert len(result.rows) == len(wanted)
