"""Who allowed what, and every call to Fineract."""

from turno_lms.console.fields import document, moment, number, state, text
from turno_lms.console.sql_page import SqlPage


class Approvals(SqlPage):
    """Approvals: asked by one person, decided by another, used once."""

    key = "approvals"
    menu_label = "Approvals"
    display_name = "Approval"
    icon = "fa fa-stamp"
    dag_id = "post_manual_repayment"
    pk_attr = "approval_id"
    explains = "What needed a second person. Decide the open ones in Airflow under Required Actions."
    search_columns = ("requested_by", "decided_by")
    fields = [
        number("approval_id", "Id"),
        state("purpose"),
        state("state"),
        text("requested_by"),
        moment("requested_at"),
        text("decided_by"),
        moment("decided_at"),
        moment("expires_at"),
        moment("used_at", exclude_from_list=True),
        *(text(name, exclude_from_list=True) for name in ("requested_by_run", "used_by_run")),
        document("figures"),
    ]
    sortable_fields = ("approval_id", "requested_at")


class FineractCalls(SqlPage):
    """The audit of every HTTP attempt."""

    key = "fineract-calls"
    menu_label = "Calls to Fineract"
    display_name = "Call"
    icon = "fa fa-arrow-right-arrow-left"
    dag_id = "post_repayments"
    pk_attr = "call_id"
    explains = "Every attempt: who asked, what was sent and answered, with secrets and personal data masked."
    search_columns = ("subject", "idempotency_key")
    fields = [
        number("call_id", "Id"),
        moment("called_at", "At"),
        state("method"),
        text("path"),
        state("purpose"),
        text("subject"),
        number("status_code", "Status"),
        state("outcome"),
        number("duration_ms", "Milliseconds"),
        text("idempotency_key", exclude_from_list=True),
        document("request"),
        document("response"),
        text("made_by_run", exclude_from_list=True),
        text("task_id", exclude_from_list=True),
    ]
    sortable_fields = ("call_id",)
