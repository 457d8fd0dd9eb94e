"""The campaign in its short form, and the proof that it notices what it is there to notice."""

from pathlib import Path

import pytest

from tests.faults.campaign import run_campaign

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def test_killed_posters_and_a_broken_network_lose_nothing_and_double_nothing(
    warehouse_url: str, tmp_path: Path
) -> None:
    figures = run_campaign(warehouse_url, tmp_path, rounds=1, payments=120, kills=6, seed=5)
    assert figures.clean, f"{figures} open={figures.open} differences={figures.differences}"
    assert figures.postings == 120
    assert figures.kills >= 6


def test_a_new_external_id_per_try_turns_the_campaign_red(warehouse_url: str, tmp_path: Path) -> None:
    bug = "new_external_id_per_try"
    figures = run_campaign(warehouse_url, tmp_path, rounds=1, payments=60, kills=2, seed=5, bug=bug)
    assert figures.doubles > 0
    assert not figures.clean


def test_a_lost_answer_taken_for_success_turns_the_campaign_red(warehouse_url: str, tmp_path: Path) -> None:
    bug = "lost_answer_taken_for_success"
    figures = run_campaign(warehouse_url, tmp_path, rounds=1, payments=60, kills=2, seed=5, bug=bug)
    assert figures.lost > 0
    assert not figures.clean
