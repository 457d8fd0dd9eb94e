"""Operations that the loan origination system submitted, and what became of each."""

from turno_lms.console.fields import moment, number, state, text
from turno_lms.console.sql_page import SqlPage


class Submissions(SqlPage):
    """Submissions with their results."""

    key = "los"
    menu_label = "LOS"
    display_name = "Submission"
    icon = "fa fa-inbox"
    dag_id = "run_los_operations"
    pk_attr = "submission_id"
    explains = "What the loan origination system handed over and what became of it, without personal data."
    search_columns = ("reference", "loan_id")
    fields = [
        state("operation"),
        text("reference"),
        state("caller"),
        text("loan_id", "Loan"),
        state("state"),
        state("reason"),
        text("message", orderable=False),
        number("tries"),
        moment("received_at", "Received"),
        text("submission_id", "Id", exclude_from_list=True),
        *(moment(name, exclude_from_list=True) for name in ("waiting_since", "ended_at")),
        *(text(name, exclude_from_list=True) for name in ("decided_by", "decision_reason", "claimed_by_run")),
    ]
    sortable_fields = ("received_at",)
    fields_default_sort = (("received_at", True),)
