"""Who did and allowed what, and every call to Fineract."""

from typing import Any

from psycopg import sql
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette_admin.fields import StringField
from typing_extensions import override

from turno_lms.console.access import user_of
from turno_lms.console.fields import document, moment, number, run, rupees, state, text
from turno_lms.console.sql_page import SqlPage
from turno_lms.warehouse.connection import Row


class OperatorActions(SqlPage):
    """What people did, here, in Airflow's own forms and over its API: Airflow's audit log."""

    key = "operator-actions"
    menu_label = "What people did"
    display_name = "Action"
    icon = "fa fa-user-clock"
    dag_id = "post_repayments"
    pk_attr = "id"
    explains = (
        "Who pressed what, when, and which run it started: here, in Airflow's own forms, and over its API."
    )
    search_columns = ("person", "dag_id", "run_id")
    fields = [
        number("id", "Id"),
        moment("at", "At"),
        text("person", "Who"),
        state("event", "What"),
        text("dag_id", "DAG"),
        run("run", "Run"),
        text("task_id", "Task"),
        text("extra", "With", orderable=False),
    ]
    sortable_fields = ("id",)

    @override
    def is_accessible(self, request: Request) -> bool:
        """Whoever may read Airflow's audit log."""
        return user_of(request).may_read_audit_log()

    @override
    async def _read(self, request: Request, query: sql.Composed, values: list[Any]) -> list[Row]:
        return await run_in_threadpool(_read_airflow, query, values)


def _read_airflow(query: sql.Composed, values: list[Any]) -> list[Row]:
    """Rows of Airflow's own database, which only Airflow's session opens."""
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.connection().exec_driver_sql(query.as_string(), tuple(values))
        return [dict(row) for row in found.mappings()]


class Approvals(SqlPage):
    """Approvals: asked by one person, decided by another, used once."""

    key = "approvals"
    menu_label = "Approvals"
    display_name = "Approval"
    icon = "fa fa-stamp"
    dag_id = "post_manual_repayment"
    pk_attr = "approval_id"
    explains = (
        "What needs a second person. One that is requested is answered in Airflow, on its run's page, by anybody but "
        "who asked."
    )
    search_columns = ("requested_by", "decided_by")
    rupees_column = "rupees"
    fields = [
        number("approval_id", "Id"),
        state("purpose"),
        state("state"),
        StringField(
            "answer", label="Answer", list_template="fields/answer.html", detail_template="fields/answer.html"
        ),
        text("about", "About", orderable=False),
        rupees("rupees", "Rupees"),
        text("requested_by", "Asked by"),
        moment("requested_at", "Asked"),
        text("decided_by", "Decided by"),
        moment("decided_at", "Decided"),
        moment("expires_at", "Expires"),
        run("requested_by_run", "Asked in"),
        moment("used_at", exclude_from_list=True),
        run("used_by_run", "Used in", exclude_from_list=True),
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
        run("made_by_run", "Run"),
        text("idempotency_key", exclude_from_list=True),
        document("request"),
        document("response"),
        text("task_id", exclude_from_list=True),
    ]
    sortable_fields = ("call_id",)
