"""
### Replay webhooks: have stored events derived anew

One event, a range or a filter: every field that is filled in narrows the selection. The events are read again by
`build_warehouse`, which the asset `gateway_events_landed` wakes, with today's rules; dead letters among them are
tried again. For an event whose loan was named by a rule that has been mended since, or whose body could not be read.

Who asked for it, the selection, the reason and every event are kept in `core.core_gateway_replay` and
`core.core_gateway_replay_event`. `turno webhooks replay --dry-run` shows beforehand what a selection holds.

**Starts:** by hand only.

**Run again:** trigger it; clearing the task replays the same selection once more.

**Run twice:** the same end: what is stored is not changed, a payment keeps its identity, and nothing is posted
twice.
"""

from typing import Any

from airflow.sdk import DAG, Param, get_current_context, task

from turno_lms.orchestration.assets import GATEWAY_EVENTS_LANDED
from turno_lms.orchestration.defaults import LONG, START, Tag, default_args
from turno_lms.orchestration.runs import current_run, flag_param, moment_param, text_param

TEXT = {
    "event_key": "Event key",
    "payment_id": "Payment id at the gateway",
    "event_type": "Event type, such as payment.captured",
    "lender": "Lender",
}
MOMENTS = {"received_from": "Received from", "received_until": "Received before"}
FLAGS = {"conflicting": "Only events that came with different bodies", "stale": "Only events that came late"}

with DAG(
    dag_id="replay_webhooks",
    doc_md=__doc__,
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "dry_run": Param(False, type="boolean", title="Only count what it would read again"),
        "reason": Param("", type="string", title="Reason", minLength=1),
        "gateway": Param(None, type=["null", "string"], enum=[None, "razorpay", "cashfree"], title="Gateway"),
        **{name: Param(None, type=["null", "string"], title=title) for name, title in TEXT.items()},
        "event_keys": Param([], type="array", items={"type": "string"}, title="Event keys, several"),
        **{
            name: Param(None, type=["null", "string"], format="date-time", title=title)
            for name, title in MOMENTS.items()
        },
        **{name: Param(False, type=["null", "boolean"], title=title) for name, title in FLAGS.items()},
    },
    tags=[Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task(outlets=[GATEWAY_EVENTS_LANDED], execution_timeout=LONG)
    def replay_selection() -> dict[str, Any]:
        """Mark the events of the form's selection to be read again, and try its dead letters. A dry run counts them."""
        from turno_lms.gateways.replay import Selection, count_selected, replay
        from turno_lms.warehouse.connection import Role, connect

        keys = get_current_context()["params"]["event_keys"]
        texts = {name: text_param(name) for name in ("gateway", *TEXT)}
        moments = {name: moment_param(name) for name in MOMENTS}
        flags = {name: flag_param(name) for name in FLAGS}
        with connect(Role.INGESTION) as conn:
            selection = Selection(event_keys=keys, **texts, **moments, **flags)
            if flag_param("dry_run"):
                return count_selected(conn, selection)
            return replay(conn, selection, text_param("reason") or "", current_run()).to_dict()

    replay_selection()
