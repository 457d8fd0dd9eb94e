"""Programs that tests need beside Python's packages."""

import subprocess

from local_stack.folder import ROOT


def program(name: str) -> str:
    """The path of the machine's `chromium`, `prometheus` or `promtool`; installed where it is missing."""
    found = subprocess.run(
        [ROOT / "scripts" / "program.sh", name], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    return found.stdout.strip().splitlines()[-1]
