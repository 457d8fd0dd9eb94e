"""docs/money-rules.md: every test and every file that it names exists."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "money-rules.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    tests = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 30
    assert named - tests == set()


def test_every_rule_names_its_place_and_a_test() -> None:
    rules = re.findall(r"^\| \d+\. \*\*.*$", PAGE, re.MULTILINE)
    assert len(rules) >= 12
    for rule in rules:
        _, place, tests = rule.strip("| ").split(" | ")
        assert re.search(r"`(plugins|include|webhook_receiver)/", place), rule
        assert "`test_" in tests, rule


def test_every_place_exists() -> None:
    for place in re.findall(r"`((?:plugins|include|webhook_receiver)/[\w./]+)`", PAGE):
        assert (ROOT / place).exists(), place
