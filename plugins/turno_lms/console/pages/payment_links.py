"""Payment links and their life."""

from starlette.requests import Request
from starlette_admin import action
from starlette_admin.actions import ActionSelection

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.sql_page import SqlPage

_REFRESH = "refresh_payment_links"


class PaymentLinks(SqlPage):
    """Every link that was planned."""

    key = "payment-links"
    menu_label = "Payment links"
    display_name = "Link"
    icon = "fa fa-qrcode"
    dag_id = _REFRESH
    pk_attr = "link_id"
    explains = "Every link that was planned, with what was paid on it. New ones: form create_payment_links."
    search_columns = ("reference", "loan_id", "gateway_link_id")
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
        state("is_stale", "Dues changed"),
        *(moment(name, exclude_from_list=True) for name in ("quoted_at", "sent_at", "ended_at")),
        *(
            text(name, exclude_from_list=True)
            for name in (
                "end_reason", "last_error", "short_url", "gateway_link_id", "attempt", "tries", "created_by",
                "created_by_run", "replaces",
            )
        ),
    ]  # fmt: skip
    sortable_fields = ("link_id", "created_at", "amount")
    actions = ("refresh",)
    starts = {"refresh": _REFRESH}

    @action(
        name="refresh",
        text="Ask the gateways now",
        icon_class="fa fa-rotate-right",
        allow_empty_selection=True,
        dedicated_button=True,
        confirmation="Every open link is compared with its gateway and Fineract; if its dues changed, it is made anew.",
        submit_btn_text="Ask",
    )
    async def refresh(self, request: Request, _selection: ActionSelection) -> None:
        """Start refresh_payment_links over all open links."""
        await self.start(request, _REFRESH, {"every_link": True})
