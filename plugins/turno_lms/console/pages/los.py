"""Operations that the loan origination system submitted, and what became of each."""

from typing import Any

from psycopg import sql
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from starlette_admin.filters.base import FilterApplyContext
from typing_extensions import override

from turno_lms.console.fields import document, moment, number, run, state, text
from turno_lms.console.filters import Condition, Equals
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage
from turno_lms.los.decisions import Action
from turno_lms.los.registry import REGISTRY

_RUN = "run_los_operations"
_DECIDE = "decide_los_operation"
_NOT_TAKEN_UP = "received"
_FOUND = sql.SQL(
    "select operation, submission_id from raw.raw_los_submission where reference = %s"
    " union select operation, submission_id from core.core_los_processed where loan_id = %s"
)
_WHAT_HELPS = {"held": tuple(Action), "refused": (Action.RETRY, Action.DROP)}
"""The decisions that fit a state in which a submission waits for a person."""


def _hand_in_form(_request: Request) -> str:
    return form("hand_in_operations", operations=list(REGISTRY))


def _decide_form(_request: Request, row: Any) -> str:
    return form("decide_operation", row=row, actions=_WHAT_HELPS.get(row.state, ()))


class StateIs(Equals):
    """The state is the value: looked up where states are kept, so that their index serves."""

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The condition; what nobody has taken up is `received`."""
        if ctx.value == _NOT_TAKEN_UP:
            return super().apply(ctx)
        return _among(
            sql.SQL("select operation, submission_id from core.core_los_processed where state = %s"),
            [ctx.value],
        )


def _among(keys: sql.SQL, values: list[Any]) -> Condition:
    return sql.SQL("(operation, submission_id) in ({})").format(keys), values


class Submissions(SqlPage):
    """Submissions with their results."""

    key = "los"
    menu_label = "Submissions"
    display_name = "Submission"
    icon = "fa fa-inbox"
    dag_id = _RUN
    pk_attr = "submission_id"
    explains = (
        "What the loan origination system handed over and what became of it, without personal data. "
        "Held and refused ones wait for a decision."
    )
    search_columns = ("reference", "loan_id")
    fields = [
        state("operation"),
        text("reference"),
        state("caller"),
        text("loan_id", "Loan"),
        state("state", filters=[StateIs]),
        state("reason"),
        text("message", orderable=False),
        number("tries"),
        moment("received_at", "Received"),
        text("submission_id", "Id", exclude_from_list=True),
        *(moment(name, exclude_from_list=True) for name in ("waiting_since", "ended_at")),
        *(text(name, exclude_from_list=True) for name in ("decided_by", "decision_reason")),
        *(run(name, exclude_from_list=True) for name in ("claimed_by_run", "ended_by_run")),
        document("result"),
    ]
    sortable_fields = ("received_at",)
    fields_default_sort = (("received_at", True),)
    row_actions = ("view", "decide")
    actions = ("hand_in",)
    starts = {"decide": _DECIDE, "hand_in": _RUN}

    @action(
        name="hand_in",
        text="Hand in rows",
        icon_class="fa fa-plus",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Hand in rows of one operation",
        confirmation="Good rows are carried out at once, with all else that is due. Bad ones are refused.",
        submit_btn_text="Hand in",
        form=_hand_in_form,
        modal_size="lg",
    )
    async def hand_in(self, request: Request, _selection: ActionSelection) -> None:
        """Start run_los_operations with what was typed."""
        given = await request.form()
        await self.start(request, _RUN, {name: str(given.get(name, "")) for name in ("operation", "content")})

    @override
    def _search(self, typed: str) -> Condition:
        return _among(_FOUND, [typed, typed])

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """People decide what is held or was refused."""
        return name == "view" or obj.state in _WHAT_HELPS

    @row_action(
        name="decide",
        text="Decide",
        icon_class="fa fa-gavel",
        header="Decide about this operation",
        confirmation="",
        submit_btn_text="Decide",
        form=_decide_form,
        modal_size="lg",
    )
    async def decide(self, request: Request, pk: Any) -> None:
        """Start decide_los_operation for one submission."""
        row = await self.find_by_pk(request, pk)
        given = await request.form()
        conf = {
            "operation": row.operation,
            "reference": row.reference,
            "caller": row.caller,
            "action": str(given.get("action", "")),
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, _DECIDE, conf)


class RefusedRows(SqlPage):
    """Rows that were no operations."""

    key = "los-refused"
    menu_label = "Rows refused"
    display_name = "Refused row"
    icon = "fa fa-ban"
    dag_id = _RUN
    pk_attr = "refused_id"
    explains = "Rows that the schema, or an earlier use of their reference, ruled out. Hand them in again, corrected."
    search_columns = ("reference",)
    fields = [
        number("refused_id", "Id"),
        state("operation"),
        state("caller"),
        number("row_number", "Row"),
        text("reference"),
        state("reason"),
        text("field"),
        text("problem", orderable=False),
        text("key", "File"),
        moment("refused_at", "Refused"),
        run("refused_by_run", "Run", exclude_from_list=True),
    ]
    sortable_fields = ("refused_id",)
