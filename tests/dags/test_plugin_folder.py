"""plugins/.airflowignore: what Airflow may load there it imports under bare file names, so it may load very little."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"

LOADER = """
import json, sys
from airflow._shared.plugins_manager import _load_plugins_from_plugin_directory

folder = sys.argv[1]
before = set(sys.modules)
plugins, errors = _load_plugins_from_plugin_directory(folder)
files = {name: getattr(sys.modules[name], "__file__", None) or "" for name in set(sys.modules) - before}
ours = [name for name, file in files.items() if file.startswith(folder)]
bare = sorted(name for name in ours if name.partition(".")[0] != "turno_lms")
print(json.dumps({"bare": bare, "plugins": sorted(plugin.name for plugin in plugins), "errors": errors}))
"""

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin

class Console(AirflowPlugin):
    name = "console"
"""


def load(folder: Path) -> dict[str, object]:
    """What Airflow's own loader does with a plugins folder, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", LOADER, str(folder)], capture_output=True, text=True, check=True
    )
    answer: dict[str, object] = json.loads(run.stdout.splitlines()[-1])
    return answer


def loadable() -> list[Path]:
    return sorted(PLUGINS.glob("*.py"))


def test_airflow_loads_no_module_of_ours_under_a_bare_name() -> None:
    loaded = load(PLUGINS)
    assert loaded["errors"] == {}
    assert loaded["bare"] == [path.stem for path in loadable()]


def test_the_ignore_file_keeps_the_package_out_and_lets_the_plugin_in(tmp_path: Path) -> None:
    (tmp_path / "turno_lms" / "console").mkdir(parents=True)
    (tmp_path / "turno_lms" / "console" / "email.py").write_text(
        "raise RuntimeError('loaded')", encoding="utf-8"
    )
    (tmp_path / "turno_lms_plugin.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / ".airflowignore").write_bytes((PLUGINS / ".airflowignore").read_bytes())
    assert load(tmp_path) == {"bare": ["turno_lms_plugin"], "plugins": ["console"], "errors": {}}


def test_no_plugin_class_hides_in_an_ignored_file() -> None:
    files = sorted((PLUGINS / "turno_lms").rglob("*.py"))
    assert files
    for path in files:
        classes = [
            node
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ClassDef)
        ]
        bases = {ast.unparse(base).rpartition(".")[2] for node in classes for base in node.bases}
        assert "AirflowPlugin" not in bases, f"{path} is ignored, so Airflow would never load this plugin"


def test_no_loadable_file_shadows_an_installed_package() -> None:
    for path in loadable():
        spec = importlib.util.find_spec(path.stem)
        assert spec is None or spec.origin == str(path), f"{path} would replace {spec.origin}"
        assert path.stem not in sys.stdlib_module_names


def test_our_package_has_a_name_of_its_own() -> None:
    spec = importlib.util.find_spec("turno_lms")
    assert spec is not None
    assert Path(str(spec.origin)) == PLUGINS / "turno_lms" / "__init__.py"
