"""The SQL of this room, by name: sql/<name>.sql."""

from pathlib import Path

STATEMENTS = {
    path.stem: path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "sql").glob("*.sql")
}
