"""`turno lenders check` says what is wrong and exits accordingly."""

from pathlib import Path

from typer.testing import CliRunner

from turno_lms.lenders.commands import app

runner = CliRunner()


def test_check_names_every_lender_with_its_mapping_version(mappings: Path) -> None:
    result = runner.invoke(app, ["check", "--mappings", str(mappings)])
    assert result.exit_code == 0
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == ["axle", "gb", "ugro"]


def test_check_fails_with_file_line_and_hint(mappings: Path) -> None:
    gb = mappings / "gb.yml"
    gb.write_text(gb.read_text(encoding="utf-8").replace("name:", "nmae:", 1), encoding="utf-8")
    result = runner.invoke(app, ["check", "--mappings", str(mappings)])
    assert result.exit_code == 1
    assert f"{gb}:5: unknown key nmae; did you mean name?" in result.stderr
