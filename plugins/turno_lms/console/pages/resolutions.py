"""Settlements, write-offs and foreclosures."""

from typing import Any

from starlette.requests import Request
from starlette_admin import row_action
from typing_extensions import override

from turno_lms.console.fields import day, moment, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage
from turno_lms.orchestration.resolutions import STUCK_ACTIONS

_ENDED = frozenset({"rejected", "expired", "lapsed", "stopped", "compensated", "done", "undone"})


def _decide_form(_request: Request, row: Any) -> str:
    return form("decide_resolution", row=row, actions=STUCK_ACTIONS)


class Resolutions(SqlPage):
    """Loans that are closed otherwise than by their schedule."""

    key = "resolutions"
    menu_label = "Settlements"
    display_name = "Resolution"
    icon = "fa fa-handshake"
    dag_id = "advance_resolutions"
    pk_attr = "ref"
    explains = "Settlements, write-offs and foreclosures. Approve them in Airflow under Required Actions."
    search_columns = ("ref", "loan_id")
    fields = [
        text("ref", "Reference"),
        state("kind"),
        state("lender"),
        text("loan_id", "Loan"),
        state("state"),
        rupees("dues_total", "Dues"),
        rupees("amount", "To pay"),
        rupees("waived", "Waived"),
        rupees("remainder", "Forgiven"),
        state("band"),
        text("requested_by"),
        moment("requested_at"),
        day("executed_on"),
        *(text(name, exclude_from_list=True) for name in ("reason", "last_error", "approval_id")),
        moment("ended_at", exclude_from_list=True),
    ]
    sortable_fields = ("requested_at", "dues_total", "remainder")
    fields_default_sort = (("requested_at", True),)
    row_actions = ("view", "decide")
    starts = {"decide": "decide_resolution"}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What ended needs no decision."""
        return name == "view" or obj.state not in _ENDED

    @row_action(
        name="decide",
        text="Decide",
        icon_class="fa fa-gavel",
        header="Go on, or give it up",
        confirmation=" ",
        submit_btn_text="Decide",
        form=_decide_form,
        modal_size="lg",
    )
    async def decide(self, request: Request, pk: Any) -> None:
        """Start decide_resolution."""
        given = await request.form()
        conf = {
            "ref": str(pk),
            "action": str(given.get("action", "")),
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, "decide_resolution", conf)
