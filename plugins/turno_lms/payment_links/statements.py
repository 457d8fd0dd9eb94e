"""The statements of this area, read once from the .sql files beside it."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"

STATEMENTS = {path.stem: path.read_text(encoding="utf-8") for path in _FOLDER.glob("*.sql")}
"""Name of the file without its ending, to its text."""
