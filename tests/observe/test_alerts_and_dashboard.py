"""Alert rules and dashboard ask for figures that exist, in valid PromQL, and every alert has its runbook."""

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from turno_lms.metrics.families import SCRAPE_SECONDS, SOURCES

ROOT = Path(__file__).resolve().parents[2]
OBSERVE = ROOT / "deploy" / "observe"
RULES = [
    rule for group in yaml.safe_load((OBSERVE / "alerts.yaml").read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]  # fmt: skip
DASHBOARD = json.loads((OBSERVE / "dashboard.json").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
PROMETHEUS_OWN = {"up"}


def ours() -> dict[str, set[str]]:
    """Our figures, each with the names of its labels."""
    families = {family.name: set(source.labels) for source in SOURCES for family in source.columns.values()}
    return families | {SCRAPE_SECONDS.name: set()}


def of_the_receiver() -> dict[str, set[str]]:
    """Its counters, as its sources name them, with their labels."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "webhook_receiver").glob("*.py"))
    names = dict(re.findall(r'^([A-Z_]+_TOTAL) = "(\w+)"', text, re.MULTILINE))
    labels: dict[str, set[str]] = {name: set() for name in names.values()}
    for constant, arguments in re.findall(r"series\(\s*([A-Z_]+_TOTAL),([^)]*)\)", text):
        labels[names[constant]] |= set(re.findall(r"(\w+)=", arguments))
    return labels


def of_airflow() -> set[str]:
    """Airflow's metrics under the names that Prometheus gives them."""
    package = importlib.util.find_spec("airflow._shared.observability.metrics")
    assert package is not None
    template = Path(str(package.origin)).with_name("metrics_template.yaml")
    metrics = yaml.safe_load(template.read_text(encoding="utf-8"))["metrics"]
    ending = {"counter": "_total"}
    return {
        f"airflow_{metric['name'].replace('.', '_')}{ending.get(metric['type'], '')}" for metric in metrics
    }


EXPORTED = ours() | of_the_receiver()


def expressions() -> Iterator[tuple[str, str]]:
    yield from ((rule["alert"], rule["expr"]) for rule in RULES)
    for panel in DASHBOARD["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel.get("targets", []))


def selectors(node: Any) -> Iterator[Any]:
    """Every selector of a parsed expression."""
    if isinstance(node, promql_parser.VectorSelector):
        yield node
    for name in ("expr", "lhs", "rhs", "vector_selector", "args"):
        child = getattr(node, name, None)
        for each in child if isinstance(child, list) else [child]:
            if each is not None:
                yield from selectors(each)


@pytest.mark.parametrize(("where", "expr"), list(expressions()))
def test_an_expression_is_promql_and_asks_for_what_is_exported(where: str, expr: str) -> None:
    found = list(selectors(promql_parser.parse(expr)))
    assert found, f"{where}: no figure in {expr}"
    for selector in found:
        if selector.name in PROMETHEUS_OWN or selector.name in of_airflow():
            continue
        assert selector.name in EXPORTED, f"{where}: nobody exports {selector.name}"
        asked = {matcher.name for matcher in selector.matchers.matchers}
        assert asked <= EXPORTED[selector.name], f"{where}: {selector.name} has no label {asked}"


def test_the_selectors_of_nested_expressions_are_found() -> None:
    parsed = promql_parser.parse("sum(rate(a_total[5m])) / max by (x) (b) > 1 or absent(c) unless on (x) d")
    assert {selector.name for selector in selectors(parsed)} == {"a_total", "b", "c", "d"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    assert (ROOT / rule["annotations"]["runbook"]).is_file()


def test_alerts_have_different_names() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))


def test_airflows_own_alerts_name_runbooks_that_exist() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "dags").glob("*.py"))
    named = re.findall(r'(?:Alert|late)\(\s*"[^"]+", "([^"]+)"', text)
    assert len(named) >= 7
    assert [name for name in named if not (ROOT / "docs" / "runbooks" / name).is_file()] == []


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_every_figure_is_explained(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_the_page_explains_nothing_that_is_not_exported() -> None:
    explained = set(re.findall(r"`(turno_[a-z_]+)`", PAGE))
    assert explained == set(EXPORTED)


def test_the_panels_have_a_place_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
