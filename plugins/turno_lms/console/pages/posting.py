"""What waits for Fineract, what ended there, and the switches."""

from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.domain.dates import ist_date
from turno_lms.orchestration.repayments import CASE_ACTIONS, REVERSAL_ACTIONS
from turno_lms.posting.cases import PARKED
from turno_lms.posting.manual_entries import Mode
from turno_lms.warehouse.connection import Row

_POSTING = "post_repayments"
_MANUAL = "post_manual_repayment"
_MONEY = (
    text("posting_key"),
    state("lender"),
    text("loan_id", "Loan"),
    day("business_date", "Date"),
    rupees("amount", "Rupees"),
)


_WHAT_HELPS = {
    "posting_in_doubt": ("retry", "settle as posted", "settle as failed"),
    "posting_failed": ("post again", "post as recovery"),
    "overpaid": ("excess settled",),
}
"""The actions that answer a kind of question."""
_GIVEN_BACK = frozenset({"returned_after_posting", "bounced_after_posting"})
_DECIDABLE_BLOCKS = frozenset({"possible_duplicate", "conflict"})


def _decide_form(_request: Request, row: Any) -> str:
    offered = _WHAT_HELPS.get(getattr(row, "kind", ""), CASE_ACTIONS)
    return form("decide_repayment", row=row, actions=offered)


def _reverse_form(_request: Request, row: Any) -> str:
    return form("reverse_repayment", row=row, actions=REVERSAL_ACTIONS)


async def _held_form(_request: Request, row: Any) -> str:
    others = await run_in_threadpool(read, query_of("held-others"), [row.posting_key])
    return form("decide_held", row=row, others=others)


async def _channels() -> list[Row]:
    return await run_in_threadpool(read, query_of("posting-channels"))


async def _switch_form(_request: Request) -> str:
    return form("switch_posting", channels=await _channels())


async def _post_form(_request: Request) -> str:
    open_ones = [row for row in await _channels() if row["switch"] == "open" and row["due_items"]]
    return form("post_now", channels=open_ones)


def _manual_form(_request: Request) -> str:
    return form("manual_repayment", modes=list(Mode), today=ist_date(datetime.now(UTC)))


class _Decidable(SqlPage):
    """Repayments about which a person may have to decide."""

    @row_action(
        name="decide",
        text="Decide",
        icon_class="fa fa-gavel",
        header="Decide about this repayment",
        confirmation="",
        submit_btn_text="Decide",
        form=_decide_form,
        modal_size="lg",
    )
    async def decide(self, request: Request, pk: Any) -> None:
        """Answer what posting asks."""
        row = await self.find_by_pk(request, pk)
        given = await request.form()
        conf = {
            "posting_key": row.posting_key,
            "action": str(given.get("action", "")),
            "fineract_transaction_id": str(given.get("fineract_transaction_id") or "") or None,
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, "decide_repayment", conf)


class Queue(_Decidable):
    """Intents that have not ended."""

    key = "queue"
    menu_label = "Queue and in doubt"
    display_name = "Intent"
    icon = "fa fa-hourglass-half"
    dag_id = _POSTING
    pk_attr = "posting_key"
    explains = (
        "What is to be posted and has not ended: queued, to be tried again, or in doubt and for a person."
    )
    search_columns = ("posting_key", "loan_id", "bank_reference")
    fields = [
        *_MONEY,
        state("state"),
        state("channel"),
        number("tries"),
        moment("next_try_at", "Next try"),
        text("last_error", "Why not yet", orderable=False),
        moment("created_at", "Since"),
        *(text(name, exclude_from_list=True) for name in ("kind", "bank_reference", "created_by_run")),
        moment("last_try_at", exclude_from_list=True),
    ]
    sortable_fields = ("created_at", "next_try_at", "amount")
    fields_default_sort = ("created_at",)
    row_actions = ("view", "decide")
    actions = ("post_now", "by_hand")
    starts = {"decide": "decide_repayment", "post_now": _POSTING, "by_hand": _MANUAL}
    rupees_column = "amount"

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """People decide what is in doubt; the rest goes on by itself."""
        return name == "view" or obj.state == "in_doubt"

    @action(
        name="post_now",
        text="Post what is due now",
        icon_class="fa fa-paper-plane",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Post what is due now",
        confirmation="Also what the next claim finds: every payment that nothing holds.",
        submit_btn_text="Post",
        form=_post_form,
        modal_size="lg",
    )
    async def post_now(self, request: Request, _selection: ActionSelection) -> None:
        """Start post_repayments."""
        await self.start(request, _POSTING, {})

    @action(
        name="by_hand",
        text="Post money by hand",
        icon_class="fa fa-hand-holding-dollar",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Money that came outside every file and gateway",
        confirmation="First it is only shown, with its effect on each loan; on the next page you post it.",
        submit_btn_text="Show what it would do",
        form=_manual_form,
        modal_size="lg",
    )
    async def by_hand(self, request: Request, _selection: ActionSelection) -> None:
        """Start a dry run of post_manual_repayment."""
        given = await request.form()
        names = ("lender", "loan_id", "amount", "date", "mode", "reference", "note", "csv")
        conf = {name: str(given.get(name) or "").strip() or None for name in names}
        flags = {name: given.get(name) == "yes" for name in ("duplicates_confirmed", "excess_confirmed")}
        await self.start(request, _MANUAL, conf | flags | {"dry_run": True})


class Held(SqlPage):
    """Payments that are not posted because something holds them."""

    key = "held"
    menu_label = "Held"
    display_name = "Held payment"
    icon = "fa fa-hand"
    dag_id = _POSTING
    pk_attr = "posting_key"
    explains = (
        "Money that came in and is not posted, with what holds it. Possible duplicates and conflicts wait for a "
        "person; the rest goes on when its other side arrives."
    )
    search_columns = ("posting_key", "loan_id", "bank_reference", "gateway_payment_reference")
    rupees_column = "amount"
    fields = [
        text("loan_id", "Loan"),
        state("lender"),
        day("business_date", "Date"),
        rupees("amount", "Rupees"),
        state("posting_block", "Held by"),
        number("days", "Days"),
        state("stream"),
        text("channels_seen", "Seen by"),
        text("bank_reference"),
        text("gateway_payment_reference", "Gateway's id", exclude_from_list=True),
        text("posting_key"),
        moment("first_seen_at", "First seen"),
        *(text(name, exclude_from_list=True) for name in ("decision", "decision_reason", "decided_by")),
    ]
    sortable_fields = ("first_seen_at", "business_date")
    fields_default_sort = (("first_seen_at", True),)
    row_actions = ("view", "decide_held")
    starts = {"decide_held": "decide_held_payment"}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """People decide about duplicates and conflicts that nobody has decided."""
        return name == "view" or (obj.posting_block in _DECIDABLE_BLOCKS and obj.decision is None)

    @row_action(
        name="decide_held",
        text="Other money, or the same",
        icon_class="fa fa-gavel",
        header="Is it money of its own?",
        confirmation="The decision stays with the payment, whatever reports it later.",
        submit_btn_text="Decide",
        form=_held_form,
        exclude_from_list=True,
        modal_size="xl",
    )
    async def decide_held(self, request: Request, pk: Any) -> None:
        """Start decide_held_payment."""
        given = await request.form()
        chosen = str(given.get("same_money_as") or "")
        conf = {
            "posting_key": str(pk),
            "action": "link" if chosen else "release",
            "same_money_as": chosen or None,
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, "decide_held_payment", conf)


class Parked(_Decidable):
    """What posting asks people, oldest first."""

    key = "parked"
    menu_label = "Waits for a decision"
    display_name = "Question"
    icon = "fa fa-circle-question"
    dag_id = _POSTING
    pk_attr = "exception_id"
    explains = (
        "Repayments that posting could not end: in doubt, refused by Fineract, overpaid, or given back after they "
        "were posted."
    )
    search_columns = ("posting_key", "loan_id")
    rupees_column = "amount"
    fields = [
        number("exception_id", "Id"),
        state("kind"),
        state("lender"),
        text("loan_id", "Loan"),
        rupees("amount", "Rupees"),
        text("reason", "Why", orderable=False),
        number("days", "Days"),
        text("owner"),
        moment("opened_at", "Open since"),
        text("posting_key"),
        text("decision", exclude_from_list=True),
    ]
    sortable_fields = ("exception_id", "opened_at", "amount")
    row_actions = ("view", "decide", "reverse")
    starts = {"decide": "decide_repayment", "reverse": "reverse_repayment"}

    @cached_property
    @override
    def _query(self) -> sql.SQL:
        """What `turno posting parked` tells."""
        return sql.SQL(PARKED)

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """The button that answers the kind of question."""
        answers = {"view": True, "decide": obj.kind in _WHAT_HELPS, "reverse": obj.kind in _GIVEN_BACK}
        return answers[name]

    @row_action(
        name="reverse",
        text="Reverse or keep",
        icon_class="fa fa-rotate-left",
        header="The money went back: reverse the repayment?",
        confirmation="",
        submit_btn_text="Do it",
        submit_btn_class="btn btn-danger",
        form=_reverse_form,
        modal_size="lg",
    )
    async def reverse(self, request: Request, pk: Any) -> None:
        """Start reverse_repayment."""
        row = await self.find_by_pk(request, pk)
        given = await request.form()
        conf = {name: str(given.get(name, "")) for name in ("action", "reason")}
        await self.start(request, "reverse_repayment", {"posting_key": row.posting_key, **conf})


class Posted(_Decidable):
    """Intents that ended: posted, failed, withdrawn, reversed."""

    key = "posted"
    menu_label = "Ended"
    display_name = "Ended call"
    icon = "fa fa-box-archive"
    dag_id = _POSTING
    pk_attr = "archive_id"
    explains = "Every call that ended, with Fineract's answer. What Fineract refused waits here for a person."
    search_columns = ("posting_key", "loan_id")
    fields = [
        number("archive_id", "Id"),
        *_MONEY,
        state("outcome"),
        state("kind"),
        number("fineract_transaction_id", "Fineract's id"),
        number("tries"),
        state("error_code", "Why not"),
        text("error_message", orderable=False),
        moment("ended_at", "Ended"),
        *(text(name, exclude_from_list=True) for name in ("status_code", "ended_by", "ended_by_run")),
    ]
    sortable_fields = ("archive_id", "ended_at")
    row_actions = ("view", "decide")
    starts = {"decide": "decide_repayment"}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """People decide what Fineract refused."""
        return name == "view" or obj.outcome == "failed"


class Switches(SqlPage):
    """Every word on whether a lender's channel may be posted."""

    key = "switches"
    menu_label = "Switches"
    display_name = "Switch"
    icon = "fa fa-toggle-on"
    dag_id = "switch_posting"
    pk_attr = "switch_id"
    explains = (
        "Whether a lender's channel may be posted. The newest word stands; where there is none, it is open."
    )
    fields = [
        number("switch_id", "Id"),
        state("lender"),
        state("channel"),
        state("state"),
        text("reason"),
        text("set_by"),
        moment("set_at"),
        state("stands"),
    ]
    sortable_fields = ("switch_id",)
    actions = ("set_switch",)
    starts = {"set_switch": "switch_posting"}

    @action(
        name="set_switch",
        text="Stop, drain or open",
        icon_class="fa fa-hand",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Stop, drain or open posting",
        confirmation="It holds from the next call on. What may have been sent is still read back.",
        submit_btn_text="Set",
        submit_btn_class="btn btn-danger",
        form=_switch_form,
        modal_size="lg",
    )
    async def set_switch(self, request: Request, _selection: ActionSelection) -> None:
        """Start switch_posting."""
        given = await request.form()
        conf = {name: str(given.get(name, "")) for name in ("state", "lender", "channel", "reason")}
        await self.start(request, "switch_posting", conf)
