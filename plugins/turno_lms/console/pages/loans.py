"""The loan master, and all that hangs on one loan."""

from typing import Any

from psycopg import sql
from starlette.requests import Request
from starlette_admin.fields import StringField
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.filters import Condition
from turno_lms.console.sql_page import SqlPage, query_of, read
from turno_lms.warehouse.connection import Row

_PERSONAL = ("client_name", "mobile_no")
_SHOWN_DIGITS = 4


class Loans(SqlPage):
    """One row a loan, as Fineract and our own postings know it. Who may not act sees no client's name in full."""

    key = "loans"
    menu_label = "Loans"
    display_name = "Loan"
    icon = "fa fa-motorcycle"
    dag_id = "reconcile_loans"
    pk_attr = "loan_id"
    detail_template = "loan.html"
    explains = "One row a loan. Search by loan, UMRN, the client's whole name, or phone."
    search_columns = ("loan_id", "umrn", *_PERSONAL)
    fields = [
        text("loan_id", "Loan"),
        StringField("client_name", label="Client", filters=[], orderable=False),
        state("lender"),
        state("status"),
        rupees("principal"),
        rupees("total_outstanding", "Outstanding"),
        rupees("total_overdue", "Overdue"),
        number("days_past_due", "Days past due"),
        day("last_payment_on", "Last payment"),
        number("payments_received", "Payments"),
        rupees("amount_received", "Received"),
        rupees("amount_posted", "Posted"),
        rupees("amount_blocked", "Held"),
        StringField("mobile_no", label="Phone", filters=[], exclude_from_list=True),
        rupees("expected_outstanding", "Outstanding with what was posted since", exclude_from_list=True),
        *(
            day(name, exclude_from_list=True)
            for name in (
                "overdue_since",
                "disbursed_on",
                "expected_maturity_on",
                "closed_on",
                "first_due_on",
                "last_due_on",
            )
        ),
        *(rupees(name, exclude_from_list=True) for name in ("total_repaid", "installment_amount")),
        *(
            number(name, exclude_from_list=True)
            for name in ("payments_posted", "payments_blocked", "number_of_repayments")
        ),
        *(
            text(name, exclude_from_list=True)
            for name in (
                "annual_interest_rate",
                "fineract_loan_id",
                "account_no",
                "client_id",
                "client_external_id",
            )
        ),
        moment("taken_at", "Fineract's figures of", exclude_from_list=True),
    ]
    sortable_fields = ("loan_id", "total_overdue", "total_outstanding", "amount_blocked")
    fields_default_sort = ("loan_id",)

    @override
    def _search(self, typed: str) -> Condition:
        found = sql.SQL("loan_id in ({})").format(query_of("loan-search"))
        return found, [typed]

    @override
    async def serialize(
        self, obj: Any, request: Request, include_relationships: bool = True, include_select2: bool = False
    ) -> dict[str, Any]:
        """The row's fields, masked for who may not see the person."""
        if not user_of(request).may_start("show_loan"):
            for name in _PERSONAL:
                setattr(obj, name, masked(getattr(obj, name)))
        return await super().serialize(obj, request, include_relationships, include_select2)

    @override
    def around(self, obj: Any) -> dict[str, Any]:
        """Its `instalments`, `payments`, `mandates` and `matters`."""
        return _all_of(obj.loan_id)


def masked(personal: str | None) -> str | None:
    """A name by its initials, a phone by its last digits."""
    if personal is None or not personal.strip():
        return None
    if personal.strip().lstrip("+").isdigit():
        return f"•••••• {personal.strip()[-_SHOWN_DIGITS:]}"
    return " ".join(f"{word[0]}•••" for word in personal.split())


def _all_of(loan_id: str) -> dict[str, list[Row]]:
    """What hangs on a loan."""
    return {
        "instalments": read(query_of("loan-schedule"), [loan_id]),
        "payments": read(query_of("loan-payments"), [loan_id]),
        "mandates": read(query_of("umrn-history"), ["", loan_id]),
        "matters": read(query_of("loan-matters"), [loan_id] * 6),
    }
