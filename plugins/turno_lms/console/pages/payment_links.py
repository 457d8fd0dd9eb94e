"""Payment links and their life."""

import re
from typing import Any

from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin import action, row_action
from starlette_admin.actions import ActionSelection
from typing_extensions import override

from turno_lms.console.fields import day, ist_time, moment, number, run, rupees, state, text
from turno_lms.console.forms import form
from turno_lms.console.radius import radius_of, radius_url
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.domain.states import LinkPurpose, LinkState

_CREATE = "create_payment_links"
_REFRESH = "refresh_payment_links"
_CANCEL = "cancel_payment_links"
_CANCELLABLE = frozenset({LinkState.PLANNED, LinkState.OPEN, LinkState.PARTLY_PAID})


def _create_form(_request: Request) -> str:
    return form("create_links", purposes=list(LinkPurpose))


def _cancel_form(request: Request) -> str:
    return form("cancel_links", radius_url=radius_url(request, "payment-links"))


def _cancel_one_form(_request: Request, row: Any) -> str:
    return form("cancel_links", row=row)


async def _refresh_form(_request: Request) -> str:
    (out,) = await run_in_threadpool(read, query_of("payment-links-out"))
    return form("refresh_links", out=out)


def life_of(link_id: int, reference: str) -> list[dict[str, Any]]:
    """What happened to a link, oldest first: our own steps, calls to the gateway, and the money it brought."""
    life = sql.SQL("select * from ({}) as life order by at").format(query_of("payment-link-life"))
    return [
        {**step, "at": ist_time(step["at"])} for step in read(life, {"id": link_id, "reference": reference})
    ]


class PaymentLinks(SqlPage):
    """Every link that was planned."""

    key = "payment-links"
    menu_label = "Payment links"
    display_name = "Link"
    icon = "fa fa-qrcode"
    dag_id = _REFRESH
    pk_attr = "link_id"
    detail_template = "payment_link.html"
    explains = (
        "Every link that was planned, with what was paid on it. A loan has one link that can be paid at most."
    )
    search_columns = ("reference", "loan_id", "gateway_link_id")
    rupees_column = "amount"
    fields = [
        number("link_id", "Id"),
        text("reference"),
        state("lender"),
        text("loan_id", "Loan"),
        state("purpose"),
        day("due_on", "Due"),
        rupees("amount", "Rupees"),
        rupees("amount_paid", "Paid"),
        state("state"),
        state("gateway"),
        moment("created_at", "Made"),
        moment("expires_at", "Expires"),
        state("dues", "Dues"),
        *(moment(name, exclude_from_list=True) for name in ("quoted_at", "sent_at", "ended_at")),
        *(
            text(name, exclude_from_list=True)
            for name in (
                "end_reason", "last_error", "short_url", "gateway_link_id", "attempt", "tries", "created_by",
                "replaces",
            )
        ),
        run("created_by_run", exclude_from_list=True),
    ]  # fmt: skip
    sortable_fields = ("link_id", "created_at", "amount")
    row_actions = ("view", "cancel_one")
    actions = ("create_links", "refresh", "cancel_links")
    starts = {"create_links": _CREATE, "refresh": _REFRESH, "cancel_links": _CANCEL, "cancel_one": _CANCEL}

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also `life`, what happened to it in order of time."""
        return {"life": life_of(obj.link_id, obj.reference)}

    @override
    async def is_row_action_allowed_for_obj(self, request: Request, name: str, obj: Any) -> bool:
        """What can be paid can be cancelled."""
        return name == "view" or obj.state in _CANCELLABLE

    @action(
        name="create_links",
        text="Make links",
        icon_class="fa fa-plus",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Make payment links",
        confirmation="First it is only shown: which loans get a link of how much, and why the others get none.",
        submit_btn_text="Show what would be made",
        form=_create_form,
        modal_size="lg",
    )
    async def create_links(self, request: Request, _selection: ActionSelection) -> None:
        """Start a dry run of create_payment_links."""
        given = await request.form()
        conf: dict[str, Any] = {
            name: str(given.get(name) or "").strip() or None for name in ("lender", "amount", "loans", "csv")
        }
        days = str(given.get("overdue_days") or "").strip()
        conf["overdue_days"] = int(days) if re.fullmatch(r"[0-9]{1,4}", days) else None
        await self.start(request, _CREATE, conf | {"dry_run": True})

    @action(
        name="refresh",
        text="Ask the gateways now",
        icon_class="fa fa-rotate-right",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Ask the gateways now",
        confirmation="Open links are compared with their gateway and Fineract; where the dues changed, made anew.",
        submit_btn_text="Ask",
        form=_refresh_form,
    )
    async def refresh(self, request: Request, _selection: ActionSelection) -> None:
        """Start refresh_payment_links over all open links."""
        await self.start(request, _REFRESH, {"every_link": True})

    @action(
        name="cancel_links",
        text="Cancel, or make anew",
        icon_class="fa fa-ban",
        header="Cancel the chosen links",
        confirmation="All of them, or none. Money that has come makes a link paid; then it is not cancelled.",
        submit_btn_text="Cancel the links",
        submit_btn_class="btn btn-danger",
        form=_cancel_form,
        modal_size="lg",
    )
    async def cancel_links(self, request: Request, selection: ActionSelection) -> None:
        """Start cancel_payment_links for the chosen ones, if they are still what was shown."""
        (await radius_of(selection, self.rupees_column)).check(await request.form())
        await self._cancel(request, [int(pk) for pk in await selection.pks()])

    @row_action(
        name="cancel_one",
        text="Cancel, or make anew",
        icon_class="fa fa-ban",
        header="Cancel this link",
        confirmation="Money that has come makes a link paid; then it is not cancelled.",
        submit_btn_text="Cancel the link",
        submit_btn_class="btn btn-danger",
        form=_cancel_one_form,
    )
    async def cancel_one(self, request: Request, pk: Any) -> None:
        """Start cancel_payment_links for one."""
        await self._cancel(request, [int(pk)])

    async def _cancel(self, request: Request, link_ids: list[int]) -> None:
        given = await request.form()
        conf = {
            "link_ids": link_ids,
            "requote": given.get("requote") == "yes",
            "reason": str(given.get("reason", "")),
        }
        await self.start(request, _CANCEL, conf)
