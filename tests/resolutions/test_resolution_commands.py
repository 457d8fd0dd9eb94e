"""`turno resolutions` as a person uses it."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from local_stack.environment import warehouse_connections
from tests.resolutions.conftest import TODAY, accepted, pay
from turno_lms.resolutions import settlements
from turno_lms.resolutions.commands import app
from turno_lms.resolutions.steps import Walk
from turno_lms.warehouse.connection import WarehouseConnection


def test_what_is_under_way_is_listed_and_what_was_done_is_shown(
    walk: Walk,
    ledger: WarehouseConnection,
    warehouse_role_url: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in warehouse_connections(warehouse_role_url).items():
        monkeypatch.setenv(name, value)
    ref = accepted(walk)
    listed = CliRunner().invoke(app, ["list"])
    assert f"kind=settlement  resolution_ref={ref}" in listed.output
    assert "holds_money=True" in listed.output
    pay(ledger, "96000.00")
    settlements.advance(walk, ref, TODAY)
    shown = CliRunner().invoke(app, ["show", ref])
    assert "position=6  kind=goodwill_credit  state=done  amount=4000.00" in shown.output
    assert "finance_head  settlement approved" in shown.output
    unknown = CliRunner().invoke(app, ["show", "stl-0"])
    assert unknown.exit_code != 0
    assert "there is no settlement stl-0" in unknown.output
