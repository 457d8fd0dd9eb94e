"""Webhooks as they came, and those that could not be used."""

from typing import Any

from starlette.requests import Request
from starlette_admin import row_action

from turno_lms.console.fields import moment, number, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage

_SWEEP = "sweep_gateways"


def _replay_form(_request: Request, row: Any) -> str:
    return form(
        "reason",
        says=f"{row.gateway}'s event {row.event_key} of {row.lender} is read again by the next build.",
    )


class Webhooks(SqlPage):
    """Every verified event, of both gateways."""

    key = "webhooks"
    menu_label = "Received"
    display_name = "Event"
    icon = "fa fa-bell"
    dag_id = _SWEEP
    pk_attr = "event"
    explains = "Every event whose signature was right, or that the gateway told when asked (swept), without its body."
    search_columns = ("event_key",)
    fields = [
        text("event", exclude_from_list=True),
        state("gateway"),
        state("lender"),
        state("event_type", "Event"),
        text("event_key", "Key"),
        state("verdict"),
        state("stale"),
        state("conflicting"),
        moment("received_at", "Received"),
    ]
    sortable_fields = ("received_at",)
    fields_default_sort = (("received_at", True),)
    row_actions = ("view", "replay")
    starts = {"replay": "replay_webhooks"}

    @row_action(
        name="replay",
        text="Read again",
        icon_class="fa fa-rotate-right",
        header="Read the event again",
        confirmation=" ",
        submit_btn_text="Read again",
        form=_replay_form,
    )
    async def replay(self, request: Request, pk: Any) -> None:
        """Have one event derived anew; it can't become a second payment."""
        given = await request.form()
        row = await self.find_by_pk(request, pk)
        conf = {
            "reason": str(given.get("reason", "")),
            "gateway": row.gateway,
            "lender": row.lender,
            "event_key": row.event_key,
        }
        await self.start(request, "replay_webhooks", conf)


class DeadLetters(SqlPage):
    """Events with a right signature and a body that could not be read."""

    key = "dead-letters"
    menu_label = "Dead letters"
    display_name = "Dead letter"
    icon = "fa fa-envelope-open"
    dag_id = _SWEEP
    pk_attr = "dead_letter_id"
    explains = "Events whose signature was right and whose body could not be used."
    search_columns = ("event_key",)
    fields = [
        number("dead_letter_id", "Id"),
        state("gateway"),
        state("lender"),
        state("reason_code", "Why"),
        text("event_key", "Key"),
        state("fate"),
        number("attempts"),
        text("last_error", orderable=False),
        moment("received_at", "Received"),
        *(text(name, exclude_from_list=True) for name in ("fate_by", "fate_reason")),
        moment("fate_at", exclude_from_list=True),
    ]
    sortable_fields = ("dead_letter_id", "received_at")
