"""What a person must look at."""

from starlette.requests import Request
from starlette_admin import action
from starlette_admin.actions import ActionSelection

from turno_lms.console.fields import day, document, moment, number, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.sql_page import SqlPage

_WORK = "work_recon_exceptions"


def _work_form(_request: Request) -> str:
    return form("work_exceptions")


class Exceptions(SqlPage):
    """Exceptions with their kind, age, owner and rupees."""

    key = "exceptions"
    menu_label = "Exceptions"
    display_name = "Exception"
    icon = "fa fa-triangle-exclamation"
    dag_id = "reconcile_transactions"
    pk_attr = "exception_id"
    explains = (
        "What is not guessed. Most close by themselves when the missing part arrives; others need a person."
    )
    search_columns = ("subject", "loan_id")
    fields = [
        number("exception_id", "Id"),
        state("kind"),
        state("class"),
        state("lender"),
        text("loan_id", "Loan"),
        rupees("amount", "Rupees"),
        state("state"),
        state("progress"),
        text("owner"),
        text("subject"),
        moment("opened_at", "Open since"),
        number("days_open", "Days"),
        day("waits_until", exclude_from_list=True),
        document("detail"),
        *(
            text(name, exclude_from_list=True)
            for name in ("note", "opened_by_run", "handled_by", "closed_by", "close_reason")
        ),
        moment("closed_at", exclude_from_list=True),
    ]
    sortable_fields = ("exception_id", "opened_at", "amount")
    actions = ("work",)
    starts = {"work": _WORK}

    @action(
        name="work",
        text="Work on them",
        icon_class="fa fa-user-check",
        header="Assign, wait, resolve",
        confirmation=" ",
        submit_btn_text="Do it",
        form=_work_form,
        modal_size="lg",
    )
    async def work(self, request: Request, selection: ActionSelection) -> None:
        """Start work_recon_exceptions for the chosen ones."""
        given = await request.form()
        conf = {
            "action": str(given.get("action", "")),
            "exception_ids": [int(pk) for pk in await selection.pks()],
            **{name: str(given.get(name) or "") or None for name in ("owner", "until", "reason")},
        }
        await self.start(request, _WORK, conf)
