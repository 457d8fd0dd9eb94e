"""Operations that the loan origination system submitted."""

from turno_lms.console.fields import moment, state, text
from turno_lms.console.sql_page import SqlPage


class Submissions(SqlPage):
    """Submissions and what became of them."""

    key = "los"
    menu_label = "LOS"
    display_name = "Submission"
    icon = "fa fa-inbox"
    dag_id = "build_warehouse"
    pk_attr = "submission_id"
    explains = "What the loan origination system handed over. Payloads hold personal data and are not shown."
    search_columns = ("reference",)
    fields = [  # noqa: RUF012
        state("operation"),
        text("reference"),
        state("caller"),
        moment("received_at", "Received"),
        text("submission_id", "Id"),
    ]
    sortable_fields = ("received_at",)
    fields_default_sort = (("received_at", True),)
