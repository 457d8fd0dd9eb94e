"""The alert rules under Prometheus' own test runner."""

import subprocess
from pathlib import Path

from tests.programs import program

CASES = Path(__file__).with_name("alert-cases.yaml")


def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    run = subprocess.run(
        [program("promtool"), "test", "rules", CASES], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
