"""
### Refresh payment links: paid, expired, cancelled, or no longer what is owed

Takes in what webhooks told of links, asks the gateways about those that nobody told of for an hour, and compares
open links with Fineract where their loan has changed: another payment, a settlement, a charge. A link that asks for
something else than what is due is cancelled, and a new one is made for what is due now. A payment that comes first
makes the link paid; then nothing is cancelled. What does not fit is an exception: another amount, another payer,
money on a link that had ended, a link that the gateway does not let be cancelled.

The payment itself is posted by `build_warehouse` and `post_repayments`, whatever the link's row says.

**Starts:** every 15 minutes. By hand with `every_link` to ask the gateways about every open link at once, and
compare each with Fineract.

**Run again:** trigger it, or clear a failed task.

**Run twice:** no-op; webhooks and polling come to the same end.
"""

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, TriggerRule, task

from turno_lms.orchestration import payment_links
from turno_lms.orchestration.defaults import LONG, START, Pool, Tag, default_args, ist
from turno_lms.orchestration.runs import LABEL, label_task

with DAG(
    dag_id="refresh_payment_links",
    doc_md=__doc__,
    schedule=ist("*/15 * * * *"),
    start_date=START,
    catchup=False,
    max_active_runs=1,
    rerun_with_latest_version=True,
    default_args=default_args(),
    params={"every_link": Param(False, type="boolean", title="Ask about every open link now")},
    tags=[Tag.GATEWAYS, Tag.OPERATOR_FORM],
):

    @task
    def take_webhooks() -> dict[str, int]:
        """What landed since the last reading."""
        return payment_links.take_webhooks()

    @task
    def list_accounts() -> list[dict[str, str]]:
        """The accounts with links that are out."""
        return payment_links.accounts_with_links()

    @task(pool=Pool.FINERACT_READ, execution_timeout=LONG, map_index_template=LABEL)
    def refresh_account(account: dict[str, str]) -> dict[str, Any]:
        """Poll, cancel, quote anew and send at one account."""
        label_task(f"{account['lender']} at {account['gateway']}")
        return payment_links.refresh_account(account)

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def raise_questions() -> dict[str, int]:
        """Exceptions for what a person must look at."""
        return payment_links.raise_link_questions()

    accounts = list_accounts()
    refreshed = refresh_account.expand(account=accounts)
    take_webhooks() >> accounts
    refreshed >> raise_questions()
    # a failed account must fail the run, which the exceptions after it would otherwise end as a success
    refreshed >> EmptyOperator(task_id="every_account_refreshed", trigger_rule=TriggerRule.NONE_FAILED)
