"""The alert rules under Prometheus' own test runner, where the machine has it (Debian: the package `prometheus`)."""

import shutil
import subprocess
from pathlib import Path

import pytest

CASES = Path(__file__).with_name("alert-cases.yaml")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool here: apt-get install prometheus")
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    run = subprocess.run(["promtool", "test", "rules", CASES], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
