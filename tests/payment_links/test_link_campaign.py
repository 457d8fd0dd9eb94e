"""The campaign in its short form, and the proof that it notices what it is there to notice.

`LINKS=10000 pytest tests/payment_links/test_link_campaign.py` is the long form.
"""

import os

import pytest

from tests.gateways.standin import Standin, running_standin
from tests.payment_links.campaign import run_campaign

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]

LINKS = int(os.environ.get("LINKS", "100"))
KILLS = max(1, LINKS // 1000)


@pytest.fixture
def fresh_standin() -> "Standin":
    with running_standin() as running:
        yield running


@pytest.mark.parametrize("gateway", ["razorpay", "cashfree"])
def test_killed_processes_and_a_failing_gateway_make_every_link_once(
    warehouse_url: str, fresh_standin: Standin, gateway: str
) -> None:
    figures = run_campaign(warehouse_url, fresh_standin, LINKS, KILLS, gateway=gateway)
    print(figures.line())
    assert figures.clean, figures.line()
    assert figures.kills >= 1
    assert figures.faults


@pytest.mark.parametrize(
    ("bug", "figure"),
    [
        ("new_reference_per_try", "duplicates"),
        ("lost_answer_taken_for_a_refusal", "duplicates"),
        ("lost_answer_taken_for_success", "lost"),
    ],
)
def test_a_planted_bug_turns_the_campaign_red(
    warehouse_url: str, fresh_standin: Standin, bug: str, figure: str
) -> None:
    rates = {"error_after": "0.3", "error_before": "0.3"}
    figures = run_campaign(warehouse_url, fresh_standin, 20, 0, rates=rates, bug=bug)
    assert getattr(figures, figure) > 0, figures.line()
    assert not figures.clean
