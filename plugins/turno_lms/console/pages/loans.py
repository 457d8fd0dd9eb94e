"""The loan master."""

from turno_lms.console.fields import day, moment, number, rupees, state, text
from turno_lms.console.sql_page import SqlPage


class Loans(SqlPage):
    """One row a loan, as Fineract and our own postings know it."""

    key = "loans"
    menu_label = "Loans"
    display_name = "Loan"
    icon = "fa fa-motorcycle"
    dag_id = "reconcile_loans"
    pk_attr = "loan_id"
    explains = "One row a loan: what it owes in Fineract, and what came in, was posted and is held here."
    search_columns = ("loan_id",)
    fields = [
        text("loan_id", "Loan"),
        state("lender"),
        state("status"),
        rupees("principal"),
        rupees("total_outstanding", "Outstanding"),
        rupees("total_overdue", "Overdue"),
        day("overdue_since"),
        day("last_payment_on", "Last payment"),
        number("payments_received", "Payments"),
        rupees("amount_received", "Received"),
        rupees("amount_posted", "Posted"),
        rupees("amount_blocked", "Held"),
        *(
            day(name, exclude_from_list=True)
            for name in ("disbursed_on", "expected_maturity_on", "closed_on")
        ),
        *(rupees(name, exclude_from_list=True) for name in ("total_repaid",)),
        *(
            number(name, exclude_from_list=True)
            for name in (
                "payments_posted",
                "payments_blocked",
                "fineract_loan_id",
                "client_id",
            )
        ),
        moment("taken_at", "Fineract's figures of", exclude_from_list=True),
    ]
    sortable_fields = ("loan_id", "total_overdue", "total_outstanding", "amount_blocked")
    fields_default_sort = ("loan_id",)
