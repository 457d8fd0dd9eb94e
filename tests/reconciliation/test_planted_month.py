"""A generated month against its planted truth: every rule finds its own, nothing is matched that is not one payment,
and the result does not hang on the order in which records came, or on how often reconciliation ran in between.

TURNO_RECON_FACTOR makes the month larger: cases of every sort, 3 by default. The figures of that month stand in
docs/reconciliation-rules.md; TURNO_WRITE_MATRIX=1 and this file's tests write them anew.
"""

import os
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.dbt.project import RUN, DbtProject
from tests.reconciliation.month import Month, land, planted, put_book
from turno_lms.orchestration.rule_changes import RuleChange, try_rules
from turno_lms.reconciliation.matches import record_matches
from turno_lms.warehouse.connection import Role

DOCUMENTED_SIZE = 3
SIZE = int(os.environ.get("TURNO_RECON_FACTOR", DOCUMENTED_SIZE))
DOCUMENT = Path(__file__).parents[2] / "docs" / "reconciliation-rules.md"
MONTH = planted(SIZE)
RULES = (
    "gateway_payment_reference", "bank_reference", "recon_match_key", "date_tolerance", "charge_explained",
    "amount_tolerance", "group_sum", "group_subset",
)  # fmt: skip
Found = dict[frozenset[str], str]


def reconcile(project: DbtProject, today: date | None = None) -> None:
    project.derive_warehouse()
    day = ["--vars", f'{{"recon_today": "{today}"}}'] if today else []
    project.dbt("run", "--select", "tag:reconciliation_exact", "tag:reconciliation_rest", *day)
    record_matches(project.session(Role.RECONCILER), RUN)


def found(project: DbtProject) -> Found:
    """Every recorded match: its members, and the rule."""
    groups: dict[str, set[str]] = {}
    rules: dict[str, str] = {}
    for row in project.rows("core.core_recon_match"):
        groups.setdefault(row["match_group"], set()).add(row["native_reference"])
        rules[row["match_group"]] = row["rule"]
    return {frozenset(members): rules[group] for group, members in groups.items()}


def false_matches(month: Month, matched: Found) -> list[frozenset[str]]:
    """What was matched and is not one payment. Rows that are equal in everything stand for each other."""
    alike = {
        record.name: (record.is_file, record.loan, record.day, record.amount) for record in month.records
    }

    def signature(members: frozenset[str]) -> frozenset[tuple[object, ...]]:
        return frozenset(alike[name] for name in members)

    true = {signature(members) for members in month.matches}
    return [members for members in matched if signature(members) not in true]


def precision_and_recall(month: Month, matched: Found) -> dict[str, tuple[int, int, int]]:
    """By rule: planted, matched, and of those right."""
    wrong = set(false_matches(month, matched))
    told, made = Counter(month.matches.values()), Counter(matched.values())
    right = Counter(rule for members, rule in matched.items() if members not in wrong)
    return {rule: (told[rule], made[rule], right[rule]) for rule in RULES}


def kinds(project: DbtProject) -> dict[str, str]:
    """What each sighting that is left is called."""
    rows = project.conn.execute(
        "select identity.native_reference, exception.kind from core.core_recon_exception as exception"
        " inner join core.core_payment_identity as identity on exception.subject = identity.posting_key"
        " left join core.core_recon_match as known on identity.native_reference = known.native_reference"
        " where exception.state = 'open' and exception.kind <> 'possible_duplicate'"
        " and known.native_reference is null"
    )
    return {row["native_reference"]: row["kind"] for row in rows}


def check_documented(table: str, heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """That a table of the document, between its marks, has these rows; with TURNO_WRITE_MATRIX it gets them."""
    if SIZE != DOCUMENTED_SIZE:
        return
    lines = (" | ".join(map(str, cells)) for cells in (heading, ["---"] * len(heading), *rows))
    written = "\n".join(f"| {line} |" for line in lines)
    text = DOCUMENT.read_text(encoding="utf-8")
    above, mark, rest = text.partition(f"<!-- {table} -->\n")
    before, end, below = rest.partition(f"\n<!-- end of {table} -->")
    assert mark
    assert end
    if os.environ.get("TURNO_WRITE_MATRIX"):
        DOCUMENT.write_text(above + mark + written + end + below, encoding="utf-8")
    else:
        assert before == written


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def counts(project: DbtProject) -> tuple[int, ...]:
    """Files and webhooks that came, matches, those that are false, and payments that are named and left."""
    landed = project.conn.execute(
        "select (select count(distinct _file_id) from raw.raw_payment_file) as files,"
        " (select count(*) from raw.raw_razorpay_api) as webhooks"
    ).fetchone()
    matched = found(project)
    return (*(landed or {}).values(), len(matched), len(false_matches(MONTH, matched)), len(kinds(project)))


@pytest.fixture
def whole_month(project: DbtProject) -> DbtProject:
    put_book(project, MONTH)
    land(project, MONTH.records)
    reconcile(project)
    return project


def test_every_rule_finds_its_own_and_nothing_else_is_matched(whole_month: DbtProject) -> None:
    matched = found(whole_month)
    assert false_matches(MONTH, matched) == []
    figures = precision_and_recall(MONTH, matched)
    assert all(planted == made == right > 0 for planted, made, right in figures.values()), figures
    check_documented(
        "rules",
        ("rule", "planted", "matched", "of those right", "precision", "recall"),
        (
            (f"`{rule}`", planted, made, right, percent(right, made), percent(right, planted))
            for rule, (planted, made, right) in figures.items()
        ),
    )

    named, expected = kinds(whole_month), dict(MONTH.left)
    # of two equal rows, either may be the one that is left
    doubled = [name for name, kind in expected.items() if kind == "duplicate"]
    assert Counter(named.values()) == Counter(expected.values())
    assert {name: kind for name, kind in named.items() if kind != "duplicate"} == {
        name: kind for name, kind in expected.items() if name not in doubled
    }


def test_order_chunks_and_runs_in_between_change_nothing(whole_month: DbtProject) -> None:
    """The same month shuffled, in small files, the first half reconciled on the 12th, as it was then."""
    project = whole_month
    before, named, as_it_came = found(project), Counter(kinds(project).values()), counts(project)
    project.empty()
    put_book(project, MONTH)
    chance = random.Random(20)  # noqa: S311  # a shuffle, not a secret
    half = date(2026, 1, 12)
    land(project, [record for record in MONTH.records if record.day <= half], chance)
    reconcile(project, today=half)
    some = found(project)
    assert 0 < len(some) < len(before)
    land(project, [record for record in MONTH.records if record.day > half], chance)
    reconcile(project)
    after = found(project)
    assert len(after) == len(before)
    assert false_matches(MONTH, after) == []
    assert precision_and_recall(MONTH, after) == precision_and_recall(MONTH, before)
    assert Counter(kinds(project).values()) == named
    shuffled = counts(project)
    assert shuffled[1:] == as_it_came[1:]
    check_documented(
        "orders",
        (
            "the month",
            "reconciled",
            "files",
            "webhooks",
            "matched",
            "of those false",
            "payments named and left",
        ),
        (
            ("as it came", "once", *as_it_came),
            ("shuffled, in files of up to seven rows", "on the 12th and at the end", *shuffled),
        ),
    )


@contextmanager
def loans_are_not_compared(project: DbtProject) -> Iterator[None]:
    """A bug: rules R4 to R6 pair by rupees and days alone."""
    project.dbt("parse")
    with patch.object(
        project.macro("recon_same_loan"), "macro_sql", "{% macro recon_same_loan(a, b) %} true {% endmacro %}"
    ):
        yield


def test_a_bug_in_the_rules_is_seen(project: DbtProject) -> None:
    """Without the loan, the row of one and the payment of another loan would be one payment."""
    put_book(project, MONTH)
    land(project, MONTH.records)
    with loans_are_not_compared(project):
        reconcile(project)
    assert false_matches(MONTH, found(project)) != []


def test_a_rule_change_is_tried_before_it_counts(whole_month: DbtProject) -> None:
    """With nine days instead of three, the pairs that are nine days apart would match, and nothing else would change."""
    before = [whole_month.rows(f"core.core_recon_{table}") for table in ("match", "exception", "near")]
    changes = {
        row["name"]: row
        for row in try_rules(whole_month.session(Role.RECONCILER), RuleChange("gb", date_tolerance_days=9))
    }
    assert {name: (row["items_before"], row["items_after"]) for name, row in changes.items()} == {
        "date_tolerance": (SIZE, 2 * SIZE),
        "date_mismatch": (2 * SIZE, 0),
    }
    gone, matched = changes["date_mismatch"], changes["date_tolerance"]
    assert gone["rupees_before"] == 2 * (matched["rupees_after"] - matched["rupees_before"])
    assert [
        whole_month.rows(f"core.core_recon_{table}") for table in ("match", "exception", "near")
    ] == before
    left = whole_month.conn.execute("select 1 from pg_tables where tablename like '%dry_run'").fetchall()
    assert left == []
