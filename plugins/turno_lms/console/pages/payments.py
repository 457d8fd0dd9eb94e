"""Payments, and the life of one from the first file line or webhook to its entry in Fineract."""

from typing import Any, ClassVar

from psycopg import sql
from starlette.requests import Request
from starlette_admin import action
from starlette_admin.actions import ActionSelection
from starlette_admin.filters.base import BaseFilter, FilterApplyContext, FilterDataType
from typing_extensions import override

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.filters import Condition, Equals
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.warehouse.connection import Row

_RECONCILE = "reconcile_transactions"


class _Waiting(BaseFilter):
    """The payment has neither an ending nor an intent, and is held for its loan's resolution or not."""

    data_type = FilterDataType.NONE
    is_held: ClassVar[bool]

    @override
    def apply(self, ctx: FilterApplyContext) -> Condition:
        """The condition."""
        waiting = "posting_key in (select posting_key from ({}) as waiting where is_held_for_resolution = %s)"
        return sql.SQL(waiting).format(query_of("payments-waiting")), [self.is_held]


class Ready(_Waiting):
    """The next claim of posting finds the payment."""

    name = "ready"
    label = "is due to be queued"
    is_held = False


class HeldForResolution(_Waiting):
    """Its loan is being settled, written off or foreclosed; the claim takes it when that has ended."""

    name = "held_for_resolution"
    label = "waits while its loan is settled or written off"
    is_held = True


class Payments(SqlPage):
    """One row a payment across all sources."""

    key = "payments"
    menu_label = "Payments"
    display_name = "Payment"
    icon = "fa fa-indian-rupee-sign"
    dag_id = "build_warehouse"
    pk_attr = "posting_key"
    detail_template = "payment.html"
    explains = (
        "One row a payment, whatever saw it. Search by loan, gateway's id, bank reference or posting key."
    )
    search_columns = ("posting_key", "loan_id", "gateway_payment_reference", "bank_reference")
    fields = [
        text("loan_id", "Loan"),
        state("lender"),
        day("business_date", "Date"),
        rupees("amount", "Rupees"),
        state("payment_status", "Status"),
        state("stream"),
        state("reconciliation_status", "Reconciled"),
        state("posting", filters=[Equals, Ready, HeldForResolution]),
        state("posting_block", "Held by"),
        text("gateway_payment_reference", "Gateway's id"),
        text("bank_reference"),
        moment("first_seen_at", "First seen"),
        text("posting_key"),
        text("channels_seen", exclude_from_list=True),
        number("sightings", exclude_from_list=True),
        text("posting_policy", exclude_from_list=True),
        number("fineract_transaction_id", exclude_from_list=True),
        moment("processed_at", exclude_from_list=True),
    ]
    sortable_fields = ("first_seen_at", "business_date")
    fields_default_sort = (("first_seen_at", True),)
    actions = ("reconcile_now", "export")
    starts = {"reconcile_now": _RECONCILE}

    @action(
        name="reconcile_now",
        text="Reconcile now",
        icon_class="fa fa-scale-balanced",
        allow_empty_selection=True,
        dedicated_button=True,
        header="Hold files and gateways against each other",
        confirmation="Matches and exceptions of every lender are found anew, as every night. What a match releases is "
        "posted by the next posting run.",
        submit_btn_text="Reconcile",
        modal_size="md",
    )
    async def reconcile_now(self, request: Request, _selection: ActionSelection) -> None:
        """Start reconcile_transactions."""
        await self.start(request, _RECONCILE, {})

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """On its own page also `life`, what happened to it in order of time."""
        return {"life": life_of(obj.posting_key)}


def life_of(posting_key: str) -> list[Row]:
    """What happened to a payment, oldest first: `at`, `stage`, `what`, `by`, and the `page` and `key` with more."""
    return read(query_of("life"), [posting_key])
