"""What we ship is listed with licences that somebody has allowed, and exceptions have an end."""

import importlib.util
import json
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
TODAY = date(2026, 11, 26)


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", SCRIPTS / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["licences"] = module
    spec.loader.exec_module(module)
    return module


licences = load()


def test_every_licence_is_allowed_or_an_exception_and_the_page_is_current() -> None:
    run = subprocess.run(
        [sys.executable, SCRIPTS / "licences.py", "--check"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("licence", ["AGPL-3.0-only", "Proprietary", "not stated", "MIT OR GPL-2.0"])
def test_a_licence_that_nobody_allowed_is_named(licence: str) -> None:
    waived = [licences.Entry(name, "1", "LGPL") for name in licences.EXCEPTIONS]
    found = licences.faults([*waived, licences.Entry("new", "1.0", licence)], TODAY)
    assert found == [f"new 1.0: {licence} is neither allowed nor an exception"]


def test_an_exception_ends() -> None:
    waived = [licences.Entry(name, "1", "LGPL") for name in licences.EXCEPTIONS]
    assert licences.faults(waived, TODAY) == []
    assert len(licences.faults(waived, date(2030, 1, 1))) == len(licences.EXCEPTIONS)


def test_the_bill_of_materials_holds_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    tool = Path(sys.executable).with_name("cyclonedx-py")
    subprocess.run(
        [tool, "requirements", "--output-file", out, ROOT / "requirements.txt"],
        check=True,
        capture_output=True,
    )
    components = json.loads(out.read_text(encoding="utf-8"))["components"]
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = {line.split("==")[0] for line in lock.splitlines() if "==" in line and line[0] not in " #"}
    assert {licences.canonical(component["name"]) for component in components} == locked
    assert all(component["externalReferences"][0]["hashes"] for component in components)


def test_an_accepted_vulnerability_is_looked_at_again_after_its_day(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPTS / "audit.sh", tmp_path / "scripts")
    (tmp_path / "scripts" / "audit-exceptions.txt").write_text(
        "# id until reason\nPYSEC-1 2020-01-01 no way to reach it\n", encoding="utf-8"
    )
    run = subprocess.run(
        [tmp_path / "scripts" / "audit.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )
    assert run.returncode == 1
    assert "the exception for PYSEC-1 was until 2020-01-01 (no way to reach it)" in run.stderr
