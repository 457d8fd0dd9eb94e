"""What waits for Fineract, what ended there, and the switches."""

from typing import Any

from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage
from turno_lms.orchestration.repayments import CASE_ACTIONS

_POSTING = "post_repayments"
_MONEY = (
    text("posting_key"),
    state("lender"),
    text("loan_id", "Loan"),
    day("business_date", "Date"),
    rupees("amount", "Rupees"),
)


def _decide_form(_request: Request, row: Any) -> str:
    return form("decide_repayment", row=row, actions=CASE_ACTIONS)


def _switch_form(_request: Request) -> str:
    return form("switch_posting")


class _Decidable(SqlPage):
    """Repayments about which a person may have to decide."""

    @row_action(
        name="decide",
        text="Decide",
        icon_class="fa fa-gavel",
        header="Decide about this repayment",
        confirmation=" ",
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
    actions = ("post_now",)
    starts = {"decide": "decide_repayment", "post_now": _POSTING}

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
        confirmation="Everything due and not held is posted, of every lender whose switch is open.",
        submit_btn_text="Post",
    )
    async def post_now(self, request: Request, _selection: ActionSelection) -> None:
        """Start post_repayments."""
        await self.start(request, _POSTING, {})


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
        confirmation=" ",
        submit_btn_text="Set",
        submit_btn_class="btn btn-danger",
        form=_switch_form,
    )
    async def set_switch(self, request: Request, _selection: ActionSelection) -> None:
        """Start switch_posting."""
        given = await request.form()
        conf = {name: str(given.get(name, "")) for name in ("state", "lender", "channel", "reason")}
        await self.start(request, "switch_posting", conf)
