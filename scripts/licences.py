"""The licences of what runs in production, from the installed packages' own metadata: docs/licences.md.

licences.py            print the list
licences.py --write    write docs/licences.md
licences.py --check    status 1 when that page is not the list, or a licence is neither allowed nor an exception
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
LOCKS = ("requirements.txt", "webhook_receiver/requirements.txt")
ALLOWED = re.compile(
    r"apache|\bmit\b|\bbsd\b|0bsd|isc\b|python software foundation|\bpsf|mozilla|mpl-2|unlicense|public domain|zpl|cnri"
    r"|hpnd",
    re.IGNORECASE,
)
"""Licences that let us run and ship the image without conditions on our own code."""
REVIEWED = re.compile(r"gpl", re.IGNORECASE)
"""Wherever a name of this family appears a person looks, whatever else the text offers."""


@dataclass(frozen=True)
class Waiver:
    """A licence that is not on the list, looked at by a person; looked at again by the day named."""

    reason: str
    until: date


_LINKED = "LGPL: used unchanged, as a separate library that anyone can replace in the image"
EXCEPTIONS = {
    "openlineage-sql": Waiver("states none; the OpenLineage project is under Apache-2.0", date(2027, 11, 30)),
    "text-unidecode": Waiver("offered under several; we take the Artistic License", date(2027, 11, 30)),
    "psycopg": Waiver(_LINKED, date(2027, 11, 30)),
    "psycopg-binary": Waiver(_LINKED, date(2027, 11, 30)),
    "psycopg-pool": Waiver(_LINKED, date(2027, 11, 30)),
    "psycopg2-binary": Waiver(_LINKED, date(2027, 11, 30)),
}


@dataclass(frozen=True)
class Entry:
    """One package as it is installed."""

    name: str
    version: str
    licence: str


def canonical(name: str) -> str:
    """A package's name as locks write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def locked() -> set[str]:
    """What production installs."""
    text = "".join((ROOT / lock).read_text(encoding="utf-8") for lock in LOCKS)
    return {canonical(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE)}


def licence_of(distribution: Distribution) -> str:
    """The licence as the package states it: its SPDX expression, its classifiers, or the first line of its text."""
    metadata = distribution.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [
        text.split(" :: ")[-1]
        for text in metadata.get_all("Classifier") or []
        if text.startswith("License ::")
    ]
    named = [text for text in classifiers if text != "OSI Approved"]
    if named:
        return "; ".join(sorted(named))
    first = str(metadata.get("License") or "").strip().splitlines()
    return first[0][:60] if first else "not stated"


def installed() -> Iterator[Entry]:
    """The packages of the locks, from this environment and the receiver's beside it."""
    receiver = sorted(Path(sys.prefix).with_name("receiver-venv").glob("lib/python3*/site-packages"))
    wanted = locked()
    for distribution in [*distributions(), *distributions(path=list(map(str, receiver)))]:
        name = canonical(distribution.metadata["Name"])
        if name in wanted:
            yield Entry(name, distribution.version, licence_of(distribution))


def faults(entries: list[Entry], today: date) -> list[str]:
    """Packages whose licence nobody has allowed, and exceptions that are out of date or no longer needed."""
    found = []
    for entry in entries:
        exception = EXCEPTIONS.get(entry.name)
        clear = ALLOWED.search(entry.licence) and not REVIEWED.search(entry.licence)
        if exception and exception.until < today:
            found.append(
                f"{entry.name}: look at its licence again, the exception was until {exception.until}"
            )
        elif not clear and not exception:
            found.append(f"{entry.name} {entry.version}: {entry.licence} is neither allowed nor an exception")
    known = {entry.name for entry in entries}
    found += [f"{name}: an exception for what is not installed" for name in EXCEPTIONS if name not in known]
    return found


def page(entries: list[Entry]) -> str:
    """The list as docs/licences.md has it. Without versions, which the locks hold: it changes when a licence does."""
    lines = [
        "# Licences of what runs in production",
        "",
        "Made by `make licences` from the packages' own metadata; the versions are in the locks.",
        "",
        "| package | licence | |",
        "| --- | --- | --- |",
    ]
    for entry in entries:
        exception = EXCEPTIONS.get(entry.name)
        note = f"{exception.reason}; looked at again by {exception.until}" if exception else ""
        lines.append(f"| {entry.name} | {entry.licence.replace('|', '/')} | {note} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print, write or check."""
    entries = sorted({entry.name: entry for entry in installed()}.values(), key=lambda entry: entry.name)
    text = page(entries)
    if "--write" in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    if "--check" not in sys.argv:
        print(text, end="")
    wrong = faults(entries, datetime.now(UTC).date())
    if "--check" in sys.argv and PAGE.read_text(encoding="utf-8") != text:
        wrong.append(f"{PAGE.relative_to(ROOT)} is not what is installed; run: make licences")
    for fault in wrong:
        print(f"licences: {fault}", file=sys.stderr)
    print(f"licences packages={len(entries)} faults={len(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
