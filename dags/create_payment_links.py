"""
### Create payment links: ask borrowers for what Fineract says they owe now

The form names a lender and its loans in one of three ways: loan ids, a CSV with a column `loan_id`, or the rule
"overdue for so many days". `choose_links` quotes each loan in Fineract (instalment, overdue or outstanding) and
stores a row for every link; `send_account` makes them at the lender's gateway. Gateway, notification, expiry, partial
payment, reminders and limits are in the lender's mapping (`payment_links`).

Start with `dry_run`, which is ticked: the log of `choose_links` shows which loans get a link of how much, and why the
others get none. A loan has one link that can be paid at most.

**Starts:** by the form. Every day at 10:00 for the lenders whose mapping has `payment_links.automatic`.

**Run again:** clear a failed task, or trigger it. What was planned is sent by whoever comes next: each link is looked
up by its reference before it is sent again, so that nothing is made twice.

**Run twice:** no-op for loans with a link that can be paid, or a payment under way.
"""

from typing import Any

from airflow.sdk import DAG, Param, task

from turno_lms.orchestration import payment_links
from turno_lms.orchestration.defaults import LONG, Pool, Tag, default_args, ist
from turno_lms.orchestration.repairs import lender_param
from turno_lms.orchestration.runs import LABEL, label_task

EMPTY: Any = {"type": ["null", "string"]}

with DAG(
    dag_id="create_payment_links",
    doc_md=__doc__,
    schedule=ist("0 10 * * *"),
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={
        "dry_run": Param(True, type="boolean", title="Only show what would be made"),
        "lender": lender_param(),
        "amount": Param("overdue", type="string", enum=payment_links.PURPOSES, title="Ask for"),
        "loans": Param(None, **EMPTY, title="Loans", description="Their ids, with commas or spaces between."),
        "csv": Param(
            None,
            type=["null", "string"],
            format="multiline",
            title="Or a CSV",
            description="It has a column loan_id.",
        ),
        "overdue_days": Param(
            None, type=["null", "integer"], minimum=0, maximum=3650, title="Or all overdue for so many days"
        ),
    },
    tags=[Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG)
    def choose_links() -> dict[str, Any]:
        """Quote the loans and store a row for each link, or show them."""
        return payment_links.choose_links()

    @task
    def list_accounts(chosen: dict[str, Any]) -> list[dict[str, str]]:
        """The accounts with links to send; none after a dry run."""
        return [] if chosen["dry_run"] else payment_links.accounts_with_links()

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG, map_index_template=LABEL)
    def send_account(account: dict[str, str]) -> dict[str, Any]:
        """Make an account's planned links at its gateway."""
        label_task(f"{account['lender']} at {account['gateway']}")
        return payment_links.send_account(account)

    send_account.expand(account=list_accounts(choose_links()))
