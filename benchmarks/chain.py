"""From a webhook's answer to its repayment in Fineract: the whole stack, the real scheduler, nothing else to do.

The stand-in's sample loans are made first and the pipelines come to rest; then payments are announced one by one, each
when the one before it is posted. A stage is told as its share of the whole: until the build starts (the receiver's
window and the scheduler), the build, until posting starts, posting.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from local_stack.processes import StackError, free_port

if TYPE_CHECKING:
    from local_stack.demo.airflow_api import AirflowApi, DagRun
    from local_stack.environment import StackEnvironment
    from local_stack.gateways.payments import Payment
    from turno_lms.warehouse.connection import WarehouseConnection

PAYMENTS = 3
_POSTED = """
select processed.processed_at
from core.core_payment_identity as identity
inner join core.core_transaction_data_processed as processed on identity.posting_key = processed.posting_key
where identity.gateway_payment_reference = %s and processed.outcome = 'posted'
"""
_ASKED = """
select exception.kind, exception.detail
from core.core_recon_exception as exception
where
    exception.state = 'open'
    and exception.kind not in ('missing_in_file', 'missing_in_gateway')
    and exception.subject in (
        select identity.posting_key from core.core_payment_identity as identity
        where identity.gateway_payment_reference = %(reference)s
        union all
        select %(reference)s
    )
"""
_MOST_SECONDS = 600.0
_POLL_SECONDS = 0.5
_STAGES = ("wake", "build", "handover", "posting")


def run() -> Mapping[str, float | int]:
    """The median and the longest time of `PAYMENTS` payments, and the median share of each stage in percent."""
    with _stack() as stack, _at_rest(stack) as (api, conn):
        chains = [_follow(stack, api, conn, payment) for payment in _payments()]
    totals = [sum(chain, timedelta()).total_seconds() for chain in chains]
    shares = {
        f"{stage}_percent": round(
            statistics.median(100 * chain[place] / sum(chain, timedelta()) for chain in chains)
        )
        for place, stage in enumerate(_STAGES)
    }
    return {
        "payments": len(chains),
        "chain_seconds": statistics.median(totals),
        "longest_seconds": max(totals),
        **shares,
    }


@contextmanager
def _stack() -> Iterator["StackEnvironment"]:
    """A whole stack of its own, in a state folder and on ports of its own."""
    with tempfile.TemporaryDirectory(prefix="turno-bench-") as folder:
        Path(folder).chmod(0o755)
        os.environ["TURNO_STATE"] = folder
        from local_stack.api import bring_up, take_down
        from local_stack.environment import PREFERRED_PORTS
        from local_stack.folder import write_json

        write_json(Path(folder) / "ports.json", {name: free_port() for name in PREFERRED_PORTS})
        try:
            yield bring_up()
        finally:
            take_down()


@contextmanager
def _at_rest(stack: "StackEnvironment") -> Iterator[tuple["AirflowApi", "WarehouseConnection"]]:
    """Airflow and the warehouse, with the sample loans known there and nothing left to do."""
    from local_stack.services import use_connections

    use_connections(stack)
    from local_stack.demo.airflow_api import AirflowApi
    from local_stack.demo.loan_book import ensure_loan_book
    from local_stack.demo.pipelines import wait_for_dags
    from local_stack.demo.watch import Watch
    from turno_lms.warehouse.connection import Role, connect

    variables = stack.variables()
    api = AirflowApi(*(variables[f"TURNO_AIRFLOW_{name}"] for name in ("URL", "USER", "PASSWORD")))
    wait_for_dags(api)
    api.unpause_all()
    ensure_loan_book()
    with connect(Role.CONSOLE, application_name="benchmark") as conn:
        watch = Watch(api, conn, print, number=1)
        watch.wait_for([watch.start("reconcile_loans")])
        watch.settle(reconciled=False)
        yield api, conn


def _payments() -> list["Payment"]:
    """Payments of loans of their own, by the event that names the order: its receipt, or the notes, name the loan."""
    from local_stack.sample_data.axle import LAST_WEEK, LinkPayment
    from local_stack.sample_data.book import AXLE_LOANS

    day = LAST_WEEK + timedelta(days=1)
    return [
        LinkPayment(loan, day, 900, Decimal(1000)).webhooks("order.paid") for loan in AXLE_LOANS[:PAYMENTS]
    ]


def _follow(
    stack: "StackEnvironment", api: "AirflowApi", conn: "WarehouseConnection", payment: "Payment"
) -> list[timedelta]:
    """Announce one payment and return the length of each stage until it is posted."""
    from local_stack.gateways.client import send_payments
    from turno_lms.domain.dates import IST

    known = {found.label for found in api.runs()}
    send_payments(stack.local_url("gateways"), [payment])
    answered = datetime.now(IST)
    posted = _wait_until_posted(conn, payment)
    runs = [
        found for found in api.runs() if found.label not in known and found.start and found.start < posted
    ]
    build = _last(runs, "build_warehouse")
    posting = _last(runs, "post_repayments")
    if not (build.start and build.end and posting.start):
        raise StackError(f"{build.label} or {posting.label} has no times")
    stages = [
        build.start - answered,
        build.end - build.start,
        posting.start - build.end,
        posted - posting.start,
    ]
    told = (f"{name} {stage.total_seconds():.1f} s" for name, stage in zip(_STAGES, stages, strict=True))
    print(f"{payment.payment_id}: {', '.join(told)}", flush=True)
    return stages


def _wait_until_posted(conn: "WarehouseConnection", payment: "Payment") -> datetime:
    """When it was posted; a StackError if it goes to a person instead, or nowhere."""
    reference = f"{payment.gateway}:{payment.payment_id}"
    deadline = time.monotonic() + _MOST_SECONDS
    while time.monotonic() < deadline:
        row = conn.execute(_POSTED, (reference,)).fetchone()
        question = conn.execute(_ASKED, {"reference": reference}).fetchone()
        conn.commit()
        if row:
            posted: datetime = row["processed_at"]
            return posted
        if question:
            raise StackError(f"{payment.payment_id} became an exception: {question}")
        time.sleep(_POLL_SECONDS)
    raise StackError(f"{payment.payment_id} was not posted within {_MOST_SECONDS:.0f} s")


def _last(runs: list["DagRun"], dag_id: str) -> "DagRun":
    """The youngest of these runs of a DAG."""
    return [found for found in runs if found.dag_id == dag_id][-1]
