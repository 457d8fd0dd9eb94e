"""The campaign in its short form, and the proof that it notices what it is there to notice: one planted bug per rule."""

from pathlib import Path

import pytest

from tests.faults.campaign import Database, Figures, Plan, own_database, run_campaign

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CALM: dict[str, str] = {}


def test_killed_posters_and_a_broken_network_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    with own_database(tmp_path) as database:
        figures = run_campaign(database, tmp_path, rounds=1, seed=5, plan=Plan(payments=120, kills=6))
    assert figures.clean, f"{figures} open={figures.open} differences={figures.differences}"
    assert figures.postings > 100
    assert figures.kills >= 6


def test_in_good_weather_a_loan_has_one_call_in_flight(warehouse_url: str, tmp_path: Path) -> None:
    plan = Plan(payments=60, kills=0, rates=CALM)
    figures = run_campaign(Database(warehouse_url), tmp_path, rounds=1, seed=5, plan=plan)
    assert figures.clean, f"{figures} side_by_side={figures.side_by_side}"


@pytest.mark.parametrize(
    ("bug", "rates", "figure"),
    [
        ("new_external_id_per_try", {"drop_after": "0.3"}, "doubles"),
        ("lost_answer_taken_for_success", {"drop_before": "0.3"}, "lost"),
        ("read_back_removed", {"drop_after": "0.3", "stuck": "0.2"}, "open"),
        ("lease_removed", CALM, "side_by_side"),
        ("second_look_removed", CALM, "doubles"),
        ("any_200_taken_for_success", {"maker_checker": "0.3"}, "lost"),
        ("claim_forgets_what_ended", CALM, "open"),
    ],
)
def test_a_planted_bug_turns_the_campaign_red(
    warehouse_url: str, tmp_path: Path, bug: str, rates: dict[str, str], figure: str
) -> None:
    # so slow that a poster is still at work when the other has started, and again, as a busy machine starts them apart
    latency_ms, rounds = (200, 4) if figure == "side_by_side" else (15, 1)
    plan = Plan(60, 0, rates=rates, latency_ms=latency_ms, bug=bug, round_seconds=12.0, finish_seconds=6.0)
    figures: Figures = run_campaign(Database(warehouse_url), tmp_path, rounds=rounds, seed=5, plan=plan)
    assert getattr(figures, figure) > 0, f"{figures} open={figures.open} differences={figures.differences}"
    assert not figures.clean
