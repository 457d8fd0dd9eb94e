"""Webhooks as they came, and those that could not be used."""

from typing import Any

from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.fields import document, moment, number, state, text
from turno_lms.console.forms import form
from turno_lms.console.radius import radius_of, radius_url
from turno_lms.console.sql_page import SqlPage

_SWEEP = "sweep_gateways"
_REPLAY = "replay_webhooks"
_FILTERS = ("gateway", "lender", "event_type", "payment_id", "received_from", "received_until")


def _replay_form(_request: Request, row: Any) -> str:
    return form(
        "reason",
        says=f"1 event: {row.gateway}'s {row.event_key} of {row.lender} is read again by the next build. "
        "It can't become a second payment.",
    )


def _replay_chosen_form(request: Request) -> str:
    return form("replay_chosen", radius_url=radius_url(request, "webhooks"))


def _replay_range_form(_request: Request) -> str:
    return form("replay_range")


async def _replay_one(page: SqlPage, request: Request, pk: Any) -> None:
    """Start replay_webhooks for the event, or the dead letter, of one row."""
    given = await request.form()
    row = await page.find_by_pk(request, pk)
    conf = {
        "reason": str(given.get("reason", "")),
        "gateway": row.gateway,
        "lender": row.lender,
        "event_key": row.event_key,
    }
    await page.start(request, _REPLAY, conf)


class Webhooks(SqlPage):
    """Every verified event, of both gateways."""

    key = "webhooks"
    menu_label = "Webhooks received"
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
        text("event_type", "Event"),
        text("event_key", "Key"),
        state("verdict"),
        state("stale"),
        state("conflicting"),
        moment("received_at", "Received"),
    ]
    sortable_fields = ("received_at",)
    fields_default_sort = (("received_at", True),)
    row_actions = ("view", "replay")
    actions = ("replay_chosen", "replay_range")
    starts = dict.fromkeys(("replay", "replay_chosen", "replay_range"), _REPLAY)

    @row_action(
        name="replay",
        text="Read again",
        icon_class="fa fa-rotate-right",
        header="Read the event again",
        confirmation="",
        submit_btn_text="Read again",
        form=_replay_form,
    )
    async def replay(self, request: Request, pk: Any) -> None:
        """Have one event derived anew; it can't become a second payment."""
        await _replay_one(self, request, pk)

    @action(
        name="replay_chosen",
        text="Read them again",
        icon_class="fa fa-rotate-right",
        header="Read the chosen events again",
        confirmation="The next build derives them anew; none can become a second payment.",
        submit_btn_text="Read again",
        form=_replay_chosen_form,
    )
    async def replay_chosen(self, request: Request, selection: ActionSelection) -> None:
        """Have the chosen events derived anew."""
        given = await request.form()
        (await radius_of(selection, self.rupees_column)).check(given)
        keys = sorted({row.event_key for row in await selection.rows()})
        await self.start(request, _REPLAY, {"reason": str(given.get("reason", "")), "event_keys": keys})

    @action(
        name="replay_range",
        text="Read a range again",
        icon_class="fa fa-clock-rotate-left",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Read a range of events again",
        confirmation="Every field that is filled in narrows it. First it is only counted; on the next page you do it.",
        submit_btn_text="Count them",
        form=_replay_range_form,
        modal_size="lg",
    )
    async def replay_range(self, request: Request, _selection: ActionSelection) -> None:
        """Count what a range of events comes to, with a dry run."""
        given = await request.form()
        conf = {name: str(given.get(name) or "").strip() or None for name in _FILTERS}
        flags = {name: given.get(name) == "yes" for name in ("conflicting", "stale")}
        reason = {"reason": str(given.get("reason", ""))}
        await self.start(request, _REPLAY, conf | flags | reason | {"dry_run": True})


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
    row_actions = ("view", "replay")
    starts = {"replay": _REPLAY}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What landed or was given up is settled."""
        return name == "view" or obj.fate == "open"

    @row_action(
        name="replay",
        text="Try again",
        icon_class="fa fa-rotate-right",
        header="Try the dead letter again",
        confirmation="",
        submit_btn_text="Try again",
        form=_replay_form,
    )
    async def replay(self, request: Request, pk: Any) -> None:
        """Have one dead letter tried again."""
        await _replay_one(self, request, pk)


class Replays(SqlPage):
    """Who had which events derived anew, and why."""

    key = "replays"
    menu_label = "Replays"
    display_name = "Replay"
    icon = "fa fa-clock-rotate-left"
    dag_id = _REPLAY
    pk_attr = "replay_id"
    explains = "Who had which events derived anew, why, and what came of their dead letters."
    search_columns = ("requested_by",)
    fields = [
        number("replay_id", "Id"),
        moment("requested_at", "At"),
        text("requested_by", "By"),
        text("reason", orderable=False),
        number("events"),
        number("dead_letters_landed"),
        number("dead_letters_left"),
        document("selection"),
        text("requested_by_run", "Run", exclude_from_list=True),
    ]
    sortable_fields = ("replay_id",)
