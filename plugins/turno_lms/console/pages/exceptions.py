"""What a person must look at."""

from dataclasses import dataclass
from typing import Any

from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.fields import day, document, ist_time, moment, number, rupees, state, text
from turno_lms.console.filters import Equals, NotEnded
from turno_lms.console.forms import form
from turno_lms.console.radius import radius_of, radius_url
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.reconciliation.exceptions import DECIDED_ELSEWHERE
from turno_lms.reconciliation.statements import STATEMENTS
from turno_lms.warehouse.connection import Row

_WORK = "work_recon_exceptions"


@dataclass(frozen=True)
class Surroundings:
    """What stands around one exception: its history, the records it may be matched with, its loan's matches."""

    history: list[Row]
    records: list[Row]
    matches: list[Row]


def surroundings(exception_id: int, loan_id: str | None) -> Surroundings:
    """Everything about one exception, oldest first; a record has its `role` beside what it is."""
    history = read(sql.SQL(STATEMENTS["show_events"]), {"id": exception_id})
    roles = {
        row["native_reference"]: row["role"] for row in read(query_of("exception-records"), [exception_id])
    }
    known = read(sql.SQL(STATEMENTS["describe_sightings"]), {"references": list(roles)})
    by_reference = {row["native_reference"]: row for row in known}
    records = [{**by_reference[name], "role": role} for name, role in roles.items() if name in by_reference]
    matches = read(sql.SQL(STATEMENTS["matches_of_loan"]), {"loan_id": loan_id}) if loan_id else []
    return Surroundings([{**step, "at": ist_time(step["happened_at"])} for step in history], records, matches)


def _work_form(request: Request) -> str:
    return form("work_exceptions", radius_url=radius_url(request, "exceptions"), me=user_of(request).username)


def _work_one_form(request: Request, row: Any) -> str:
    return form("work_exceptions", row=row, me=user_of(request).username)


async def _match_form(_request: Request, row: Any) -> str:
    around = await run_in_threadpool(surroundings, row.exception_id, row.loan_id)
    return form("match_records", records=[one for one in around.records if not one["match_group"]])


async def _unmatch_form(_request: Request, row: Any) -> str:
    around = await run_in_threadpool(surroundings, row.exception_id, row.loan_id)
    return form("unmatch_records", matches=around.matches)


class Exceptions(SqlPage):
    """Exceptions with their kind, age, deadline, owner and rupees."""

    key = "exceptions"
    menu_label = "Exceptions"
    display_name = "Exception"
    icon = "fa fa-triangle-exclamation"
    dag_id = "reconcile_transactions"
    pk_attr = "exception_id"
    detail_template = "exception.html"
    explains = (
        "What is not guessed. Most close by themselves when the missing part arrives; others need a person. "
        "Choose some to assign, note, resolve or write off."
    )
    search_columns = ("subject", "loan_id")
    rupees_column = "amount"
    fields = [
        number("exception_id", "Id"),
        state("kind"),
        state("lender"),
        text("loan_id", "Loan"),
        rupees("amount", "Rupees"),
        state("life", "State", filters=[Equals, NotEnded]),
        text("owner"),
        state("age", "Age, days"),
        state("deadline"),
        moment("due_at", "Due", exclude_from_list=True),
        moment("opened_at", "Open since"),
        state("class", "Class"),
        text("subject", exclude_from_list=True),
        state("state", "Open or closed", exclude_from_list=True),
        number("age_days", "Age in days", exclude_from_list=True),
        day("waits_until", exclude_from_list=True),
        document("detail"),
        *(
            text(name, exclude_from_list=True)
            for name in ("note", "opened_by_run", "handled_by", "closed_by", "close_reason")
        ),
        moment("closed_at", exclude_from_list=True),
    ]
    sortable_fields = ("exception_id", "opened_at", "amount")
    row_actions = ("view", "work_one", "match", "unmatch")
    actions = ("work",)
    starts = dict.fromkeys(("work", "work_one", "match", "unmatch"), _WORK)

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also what is `around` it and where it is `decided_elsewhere`."""
        return {
            "around": surroundings(obj.exception_id, obj.loan_id),
            "decided_elsewhere": DECIDED_ELSEWHERE.get(obj.kind),
        }

    @action(
        name="work",
        text="Work on them",
        icon_class="fa fa-user-check",
        header="Assign, wait, note, resolve, write off",
        confirmation="All of them, or none.",
        submit_btn_text="Do it",
        form=_work_form,
        modal_size="lg",
    )
    async def work(self, request: Request, selection: ActionSelection) -> None:
        """Start work_recon_exceptions for the chosen ones, if they are still what was shown."""
        given = await request.form()
        (await radius_of(selection, self.rupees_column)).check(given)
        await self._work(request, [int(pk) for pk in await selection.pks()])

    @row_action(
        name="work_one",
        text="Assign, note, resolve …",
        icon_class="fa fa-user-check",
        header="Assign, wait, note, resolve, write off",
        confirmation="",
        submit_btn_text="Do it",
        form=_work_one_form,
        modal_size="lg",
    )
    async def work_one(self, request: Request, pk: Any) -> None:
        """Start work_recon_exceptions for one."""
        await self._work(request, [int(pk)])

    async def _work(self, request: Request, exception_ids: list[int]) -> None:
        given = await request.form()
        conf = {
            "action": str(given.get("action", "")),
            "exception_ids": exception_ids,
            **{name: str(given.get(name) or "") or None for name in ("owner", "until", "reason")},
        }
        await self.start(request, _WORK, conf)

    @row_action(
        name="match",
        text="Match by hand",
        icon_class="fa fa-link",
        header="Match records of both sides",
        confirmation="You ask, another person approves under Required Actions.",
        submit_btn_text="Ask for the match",
        form=_match_form,
        exclude_from_list=True,
        modal_size="xl",
    )
    async def match(self, request: Request, pk: Any) -> None:  # noqa: ARG002 (starlette-admin's form)
        """Ask another person to match the chosen records."""
        await self._ask(request, "match")

    @row_action(
        name="unmatch",
        text="Take a match apart",
        icon_class="fa fa-link-slash",
        header="Take a match apart",
        confirmation="You ask, another person approves under Required Actions.",
        submit_btn_text="Ask to take it apart",
        submit_btn_class="btn btn-danger",
        form=_unmatch_form,
        exclude_from_list=True,
        modal_size="xl",
    )
    async def unmatch(self, request: Request, pk: Any) -> None:  # noqa: ARG002 (as above)
        """Ask another person to undo one match of the loan."""
        await self._ask(request, "unmatch")

    async def _ask(self, request: Request, what: str) -> None:
        given = await request.form()
        conf = {
            "action": what,
            "records": [str(record) for record in given.getlist("records")],
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, _WORK, conf)
