"""What a person must look at."""

from turno_lms.console.fields import document, moment, number, rupees, state, text
from turno_lms.console.sql_page import SqlPage


class Exceptions(SqlPage):
    """Exceptions with their kind, age and rupees."""

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
    fields = [  # noqa: RUF012
        number("exception_id", "Id"),
        state("kind"),
        state("lender"),
        text("loan_id", "Loan"),
        rupees("amount", "Rupees"),
        state("state"),
        text("subject"),
        moment("opened_at", "Open since"),
        number("days_open", "Days"),
        document("detail"),
        text("opened_by_run", exclude_from_list=True),
        moment("closed_at", exclude_from_list=True),
        *(text(name, exclude_from_list=True) for name in ("closed_by", "close_reason")),
    ]
    sortable_fields = ("exception_id", "opened_at", "amount")
