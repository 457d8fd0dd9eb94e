"""The sweep and the replay as DAG runs, against the gateways' stand-in: what an operator sees of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET
from tests.dags.conftest import RunDag
from tests.gateways.standin import running_standin
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import WarehouseConnection

# what the sweep reads of dbt's tables, empty: nothing was built yet
_BUILT = """
create table if not exists base.base_gateway_payment (
    gateway_payment_reference text, gateway text, told_to text, payment_status text, amount_refunded numeric,
    gateway_order_id text, first_seen_at timestamptz, reference_error text
);
create table if not exists base.base_razorpay_event (
    lender text, event_key text, body_sha256 text, gateway_payment_reference text, event_role text, refund_id text,
    is_refund_failed boolean, loan_reference text, reference_resolves text, token_id text, token_umrn text,
    _read_horizon bigint
);
grant select on all tables in schema base to turno_ingestion, turno_reconciler, turno_poster;
"""


@contextmanager
def account(patch: pytest.MonkeyPatch, lender: str, url: str, secret: str = API_KEY_SECRET) -> Iterator[None]:
    connection = {"conn_type": "http", "host": url, "login": f"{API_KEY_ID}_{lender}", "password": secret}
    patch.setenv(f"AIRFLOW_CONN_TURNO_RAZORPAY_{lender.upper()}", json.dumps(connection))
    yield


def test_a_sweep_asks_the_accounts_it_has_a_connection_for_and_wakes_the_warehouse(
    run_dag: RunDag, warehouse: WarehouseConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_lenders(warehouse, load_lenders())
    warehouse.execute(_BUILT)
    warehouse.commit()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with running_standin() as standin, account(monkeypatch, "axle", standin.url):
        standin.pay("pay_lost", receipt="AXL300001_1", paid_at=yesterday)
        run = run_dag("sweep_gateways", days_back=2)
        assert (run.state, run.assets) == ("success", {"gateway_events_landed"}), run.tasks
        fates = {run.labels[name]: state for name, state in run.tasks.items() if name in run.labels}
        expected = {
            "axle at razorpay": "success",
            "gb at razorpay": "skipped",
            "aravalli at cashfree": "skipped",
        }
        assert fates == expected
        # one account that refuses us fails the run, and holds up no other
        with account(monkeypatch, "gb", standin.url, "wrong"):
            standin.pay("pay_lost_2", receipt="AXL300001_2", paid_at=yesterday)
            run = run_dag("sweep_gateways", days_back=2)
            assert (run.state, run.assets) == ("failed", {"gateway_events_landed"})

    replayed = run_dag("replay_webhooks", reason="look again", event_type="swept.payment")
    assert (replayed.state, replayed.assets) == ("success", {"gateway_events_landed"})
    row = warehouse.execute("select events, reason from core.core_gateway_replay").fetchone()
    assert row == {"events": 2, "reason": "look again"}
    warehouse.commit()
