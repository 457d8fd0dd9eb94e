"""Settlements, write-offs and foreclosures."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg import sql
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.fields import day, ist_time, moment, number, run, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.domain.money import indian_rupees
from turno_lms.orchestration.resolutions import STUCK_ACTIONS, WAIVABLE
from turno_lms.resolutions.statements import STATEMENTS
from turno_lms.warehouse.connection import Row

_SETTLE, _WRITE_OFF, _FORECLOSE = "settle_loan", "write_off_loan", "foreclose_loan"
_UNDO, _DECIDE = "undo_resolution", "decide_resolution"
_CANONICAL_RUPEES = re.compile(r"-?\d+\.\d\d")
_ENDED = frozenset({"rejected", "expired", "lapsed", "stopped", "compensated", "done", "undone"})


@dataclass(frozen=True)
class Ledger:
    """What stands behind one resolution: its instalments, the steps in Fineract, and who did what."""

    promises: list[Row]
    steps: list[Row]
    events: list[dict[str, Any]]


def ledger_of(ref: str) -> Ledger:
    """Everything about one resolution, in its order."""
    events = read(query_of("resolution-events"), [ref])
    return Ledger(
        read(query_of("resolution-promises"), [ref]),
        read(sql.SQL(STATEMENTS["steps_of"]), [ref]),
        [
            {
                **event,
                "at": ist_time(event["happened_at"]),
                "detail": {name: _shown(value) for name, value in event["detail"].items()},
            }
            for event in events
        ],
    )


def _shown(value: Any) -> Any:
    """A figure of an event: canonical rupees grouped as people read them, anything else as it is."""
    if isinstance(value, str) and _CANONICAL_RUPEES.fullmatch(value):
        return indian_rupees(Decimal(value))
    return value


def _settle_form(_request: Request) -> str:
    return form("settle_loan", waivable=WAIVABLE)


def _write_off_form(_request: Request) -> str:
    return form("write_off_loans")


def _foreclose_form(_request: Request) -> str:
    return form("foreclose_loan")


def _decide_form(_request: Request, row: Any) -> str:
    return form("decide_resolution", row=row, actions=STUCK_ACTIONS)


_UNDONE = {
    "settlement": "What was waived and credited is owed again; its payments become ordinary ones of their own days.",
    "write_off": "The loan is active again with its dues as they were; recoveries stay.",
}
"""What can be taken back, and what that comes to."""


def _undo_form(_request: Request, row: Any) -> str:
    kind = row.kind.replace("_", "-")
    return form("reason", says=f"1 {kind}, loan {row.loan_id}. {_UNDONE[row.kind]}")


async def _filled_in(request: Request, *names: str) -> dict[str, Any]:
    given = await request.form()
    return {name: str(given.get(name) or "").strip() or None for name in names}


class Resolutions(SqlPage):
    """Loans that are closed otherwise than by their schedule."""

    key = "resolutions"
    menu_label = "Resolutions"
    display_name = "Resolution"
    icon = "fa fa-handshake"
    dag_id = "advance_resolutions"
    pk_attr = "ref"
    detail_template = "resolution.html"
    explains = (
        "Loans that are closed otherwise than by their schedule: asked by one person, approved by another, carried out "
        "step by step. What waits for approval is under Audit, Approvals."
    )
    search_columns = ("ref", "loan_id")
    rupees_column = "dues_total"
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
        text("requested_by", "Asked by"),
        text("decided_by", "Decided by"),
        moment("requested_at", "Asked"),
        day("executed_on"),
        *(text(name, exclude_from_list=True) for name in ("reason", "evidence", "approval_id")),
        text("last_error", "Stopped or taken back because", exclude_from_list=True),
        run("requested_by_run", "Run", exclude_from_list=True),
        moment("ended_at", exclude_from_list=True),
    ]
    sortable_fields = ("requested_at", "dues_total", "remainder")
    fields_default_sort = (("requested_at", True),)
    row_actions = ("view", "decide", "undo")
    actions = ("settle", "write_off", "foreclose")
    starts = {
        "settle": _SETTLE,
        "write_off": _WRITE_OFF,
        "foreclose": _FORECLOSE,
        "decide": _DECIDE,
        "undo": _UNDO,
    }

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also the `ledger` behind it."""
        return {"ledger": ledger_of(obj.ref)}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What ended needs no decision; a settlement or write-off that is done can be taken back."""
        if name == "decide":
            return obj.state not in _ENDED
        return name == "view" or (obj.kind in _UNDONE and obj.state == "done")

    @action(
        name="settle",
        text="Settle a loan",
        icon_class="fa fa-handshake",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Settle one loan for less than it owes",
        confirmation="Fineract is asked for the dues first; another person is asked to forgive the rest.",
        submit_btn_text="Quote it and ask for approval",
        form=_settle_form,
        modal_size="lg",
    )
    async def settle(self, request: Request, _selection: ActionSelection) -> None:
        """Start settle_loan, which quotes and waits for another person."""
        names = ("lender", "loan_id", "amount", "instalments", "reason", "evidence", "override_reason")
        waive = [str(each) for each in (await request.form()).getlist("waive")]
        await self.start(request, _SETTLE, await _filled_in(request, *names) | {"waive": waive})

    @action(
        name="write_off",
        text="Write loans off",
        icon_class="fa fa-eraser",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Write loans off, one or many",
        confirmation="Fineract is asked for the dues first; another person approves their sum. All of them, or none.",
        submit_btn_text="Check them and ask for approval",
        submit_btn_class="btn btn-danger",
        form=_write_off_form,
        modal_size="lg",
    )
    async def write_off(self, request: Request, _selection: ActionSelection) -> None:
        """Start write_off_loan, which checks and waits for another person."""
        names = ("lender", "loan_id", "reason", "csv", "override_reason")
        await self.start(request, _WRITE_OFF, await _filled_in(request, *names))

    @action(
        name="foreclose",
        text="Foreclose a loan",
        icon_class="fa fa-flag-checkered",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Foreclose one loan: paid off early",
        confirmation="Fineract's figure of the day is quoted; from then on the loan's money is held for it today.",
        submit_btn_text="Quote it",
        form=_foreclose_form,
        modal_size="lg",
    )
    async def foreclose(self, request: Request, _selection: ActionSelection) -> None:
        """Start foreclose_loan."""
        names = ("lender", "loan_id", "reason", "override_reason")
        await self.start(request, _FORECLOSE, await _filled_in(request, *names))

    @row_action(
        name="decide",
        text="Decide",
        icon_class="fa fa-gavel",
        header="Go on, take back, or give up",
        confirmation="",
        submit_btn_text="Decide",
        form=_decide_form,
        modal_size="lg",
    )
    async def decide(self, request: Request, pk: Any) -> None:
        """Start decide_resolution."""
        conf = await _filled_in(request, "action", "reason")
        await self.start(request, _DECIDE, {"ref": str(pk), **conf})

    @row_action(
        name="undo",
        text="Take it back",
        icon_class="fa fa-rotate-left",
        header="Take what is done back",
        confirmation="Another person of its band approves it. What Fineract would not take back is refused at once.",
        submit_btn_text="Ask to take it back",
        submit_btn_class="btn btn-danger",
        form=_undo_form,
        modal_size="lg",
    )
    async def undo(self, request: Request, pk: Any) -> None:
        """Start undo_resolution."""
        conf = await _filled_in(request, "reason")
        await self.start(request, _UNDO, {"ref": str(pk), **conf})


class ResolutionReport(SqlPage):
    """What settlements, write-offs, recoveries and foreclosures came to, by lender and month."""

    key = "resolution-report"
    menu_label = "Report by month"
    display_name = "Month"
    icon = "fa fa-chart-column"
    dag_id = built_by = "report_resolutions"
    pk_attr = "id"
    explains = "What settlements, write-offs, recoveries and foreclosures came to. Made anew every morning."
    fields = [
        text("id", exclude_from_list=True),
        day("month"),
        state("lender"),
        number("settlements"),
        rupees("settled_rupees", "Settled"),
        rupees("waived_interest_rupees", "Interest waived"),
        rupees("waived_charges_rupees", "Charges waived"),
        rupees("goodwill_rupees", "Goodwill"),
        number("write_offs"),
        rupees("written_off_rupees", "Written off"),
        rupees("written_off_principal_rupees", "of it principal"),
        number("recoveries"),
        rupees("recovered_rupees", "Recovered"),
        number("foreclosures"),
        rupees("foreclosed_rupees", "Foreclosed"),
    ]
    sortable_fields = ("month", "lender")
    fields_default_sort = (("month", True), ("lender", False))
