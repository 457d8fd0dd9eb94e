"""The demo's steps. Each looks first whether it is done already, so that a second demo changes nothing."""

import hashlib
import re
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import requests

from local_stack.demo.airflow_api import AirflowApi, DagRun
from local_stack.demo.loan_book import ensure_loan_book
from local_stack.demo.watch import Say, Watch
from local_stack.environment import StackEnvironment
from local_stack.gateways.client import pay_link, send_payments
from local_stack.gateways.payments import Gateway
from local_stack.gateways.webhooks import Webhook, signed_headers, webhooks_of
from local_stack.processes import StackError, wait_until
from local_stack.sample_data import axle, catalogue
from local_stack.sample_data.book import ALL_LOANS, PRODUCTS
from local_stack.sample_data.samples import SampleFile
from turno_lms.warehouse.connection import WarehouseConnection

_LENDERS = tuple(product.lender for product in PRODUCTS)
_MASTERS = ("load_umrn_master", "reconcile_loans")
_INCOMING = (*(f"ingest__{lender}" for lender in _LENDERS), "create_payment_links")
_MONEY_PATH = ("build_warehouse", "post_repayments")
_AFTERWARDS = ("reconcile_transactions", "refresh_payment_links")
DAG_IDS = {*_MASTERS, *_INCOMING, *_MONEY_PATH, *_AFTERWARDS}
_DAGS_SECONDS = 120.0
_FILES_SECONDS = 180.0
_LOANS_SECONDS = 180.0
_DELIVERIES = ("first-delivery", "second-delivery")
_STORED = "select count(*) from raw.raw_razorpay_api"
_PAYMENT_ID = "payload #>> '{payload,payment,entity,id}'"
_OWN_RUN = re.compile(r"demo-(\d+)")


def run_pipelines(
    stack: StackEnvironment, api: AirflowApi, conn: WarehouseConnection, s3: Any, say: Say
) -> Watch:
    """Bring all sample money to its end, or find that it is there already. Returns the watch with what it saw.

    Each DAG is unpaused when its turn comes, masters before money, as a new installation goes live.
    """
    made = ensure_loan_book()
    say(f"Fineract: {made} loans disbursed, {len(ALL_LOANS) - made} were there already")
    wait_for_dags(api)
    watch = Watch(api, conn, say, number=_next_number(api))
    api.unpause(*_MASTERS)
    _load_masters(watch, s3, stack.bucket)
    api.unpause(*_INCOMING)
    made_link = _ask_for_link(watch)
    for delivery, files in zip(_DELIVERIES, catalogue.deliveries(), strict=True):
        _deliver_files(watch, s3, stack.bucket, delivery, files)
    watch.wait_for(made_link)
    _pay_link(watch, stack)
    _announce_payments(watch, stack)
    api.unpause(*_MONEY_PATH)
    watch.settle(reconciled=False)
    api.unpause(*_AFTERWARDS)
    refreshed = _refresh_links(watch)
    _reconcile(watch)
    watch.wait_for(refreshed)
    return watch


def wait_for_dags(api: AirflowApi) -> None:
    """Return when Airflow has parsed the DAGs of the demo; raises StackError with the import errors if it cannot."""
    deadline = time.monotonic() + _DAGS_SECONDS
    while missing := DAG_IDS - api.dag_ids():
        errors = api.import_errors()
        if errors:
            raise StackError("a DAG file cannot be loaded:\n" + "\n".join(errors))
        if time.monotonic() > deadline:
            raise StackError(
                f"Airflow does not show {', '.join(sorted(missing))}; see airflow-dag-processor.log"
            )
        time.sleep(1)


def _next_number(api: AirflowApi) -> int:
    """One more than the last demo that started a run here: run ids tell which demo made a figure."""
    numbers = [int(found[1]) for run in api.runs() if (found := _OWN_RUN.match(run.run_id))]
    return max(numbers, default=0) + 1


def _load_masters(watch: Watch, s3: Any, bucket: str) -> None:
    """Loans from Fineract and mandates from the UMRN master: what payments are resolved with."""
    master = catalogue.umrn_master()
    _upload(s3, bucket, [master])
    runs = []
    if not _count(watch.conn, "select count(*) from raw.raw_umrn_master"):
        runs.append(watch.start("load_umrn_master"))
    if not _loans_are_known(watch.conn):
        watch.start("reconcile_loans")
        # what it compares afterwards is for later: files may come as soon as their loans are known
        if not wait_until(lambda: _loans_are_known(watch.conn), seconds=_LOANS_SECONDS):
            raise StackError("reconcile_loans has not read Fineract's loans; see its task snapshot_loans")
    if not runs:
        watch.say("UMRN master and loans: already loaded")
    watch.wait_for(runs)


def _loans_are_known(conn: WarehouseConnection) -> bool:
    known = _count(conn, "select count(distinct external_id) from raw.raw_fineract_loan_snapshot")
    return known >= len(ALL_LOANS)


def _deliver_files(watch: Watch, s3: Any, bucket: str, delivery: str, files: Sequence[SampleFile]) -> None:
    """Drop the files that are not in the bucket, and have those ingested that the processing log has not finished."""
    _upload(s3, bucket, files)
    unfinished = [file for file in files if not _is_finished(watch.conn, file)]
    lenders = {file.key.split("/")[1] for file in unfinished}
    if not lenders:
        watch.say(f"{delivery}: {len(files)} files already loaded")
        return
    watch.say(f"{delivery}: {len(unfinished)} files for {', '.join(sorted(lenders))}")
    watch.wait_for([watch.start(f"ingest__{lender}", delivery) for lender in _LENDERS if lender in lenders])
    # a run that the clock had started to wait for files may have taken some of them
    if not wait_until(lambda: all(_is_finished(watch.conn, file) for file in files), seconds=_FILES_SECONDS):
        raise StackError(
            f"{delivery}: not every file has reached its end; see raw.raw_s3_file_processing_log"
        )


def _upload(s3: Any, bucket: str, files: Sequence[SampleFile]) -> None:
    """Put the files whose keys the bucket lacks."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    present = {found["Key"] for page in pages for found in page.get("Contents", [])}
    for file in files:
        if file.key not in present:
            s3.put_object(Bucket=bucket, Key=file.key, Body=file.body)


def _is_finished(conn: WarehouseConnection, file: SampleFile) -> bool:
    """Whether the processing log holds these bytes under this key in a state that stays."""
    query = (
        "select count(*) from raw.raw_s3_file_processing_log where key = %s and etag = %s"
        " and state not in ('received', 'archived', 'failed')"
    )
    return bool(_count(conn, query, file.key, hashlib.md5(file.body, usedforsecurity=False).hexdigest()))


def _ask_for_link(watch: Watch) -> list[DagRun]:
    """Start the creation of a payment link for the instalment of one loan, unless the loan has one."""
    if _count(
        watch.conn, "select count(*) from core.core_payment_link where reference = %s", axle.LINK_REFERENCE
    ):
        watch.say(f"payment link {axle.LINK_REFERENCE}: already made")
        return []
    form = {"lender": "axle", "loans": axle.PAYS_BY_LINK, "amount": "emi", "dry_run": False}
    return [watch.start("create_payment_links", form=form)]


def _pay_link(watch: Watch, stack: StackEnvironment) -> None:
    """The borrower pays the link at the gateway, whose signed webhooks tell of it."""
    paid = axle.paid_by_link()
    if _count(watch.conn, f"{_STORED} where {_PAYMENT_ID} = %s", paid.payment_id):
        return
    url = stack.local_url("gateways")
    deliveries = pay_link(url, Gateway.RAZORPAY, axle.LINK_REFERENCE, paid.payment_id, paid.paid_at)
    watch.say(f"payment link {axle.LINK_REFERENCE}: paid, {len(deliveries)} webhooks answered 200")


def _refresh_links(watch: Watch) -> list[DagRun]:
    """Have links take over what their webhooks told, unless none is out."""
    out = "select count(*) from core.core_payment_link where state in ('open', 'partly_paid')"
    return [watch.start("refresh_payment_links")] if _count(watch.conn, out) else []


def _announce_payments(watch: Watch, stack: StackEnvironment) -> None:
    """Have the gateways' stand-in send its webhooks; beside them a refund, and a forged one that must be refused."""
    payments, refund = catalogue.payments(), catalogue.refund()
    events = sum(len(payment.events_to_send) for payment in payments) + 1
    by_link = axle.paid_by_link().payment_id
    stored = _count(watch.conn, f"{_STORED} where {_PAYMENT_ID} is distinct from %s", by_link)
    if stored >= events:
        watch.say(f"webhooks: {stored} already stored")
        return
    secret = stack.webhook_secrets()[f"TURNO_WEBHOOK_SECRET_{refund.gateway}_{refund.lender}".upper()]
    _send_webhook(stack, refund, secret, HTTPStatus.OK)
    deliveries = send_payments(stack.local_url("gateways"), payments)
    _send_webhook(stack, webhooks_of(payments[0])[0], "not the secret", HTTPStatus.UNAUTHORIZED)
    watch.say(f"webhooks: {len(deliveries) + 1} answered 200, one with a wrong signature refused with 401")


def _send_webhook(stack: StackEnvironment, webhook: Webhook, secret: str, expected: HTTPStatus) -> None:
    answer = requests.post(
        f"{stack.local_url('receiver')}/webhooks/{webhook.gateway}/{webhook.lender}",
        data=webhook.body,
        headers=signed_headers(webhook, secret, time.time_ns() // 1_000_000),
        timeout=10,
    )
    if answer.status_code != expected:
        raise StackError(f"the receiver answered {answer.status_code} to {webhook.event}, not {expected}")


def _reconcile(watch: Watch) -> None:
    """Reconcile unless it has been done; what that changes is built and posted by the DAGs it wakes."""
    if _count(
        watch.conn, "select count(*) from core.core_transaction_data where reconciliation_status = 'pending'"
    ):
        watch.wait_for([watch.start("reconcile_transactions")])
        watch.settle(reconciled=True)


def _count(conn: WarehouseConnection, query: str, *values: object) -> int:
    row = conn.execute(query, values).fetchone()
    conn.commit()
    return int(row["count"]) if row else 0
