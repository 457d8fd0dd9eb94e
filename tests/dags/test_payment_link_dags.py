"""Payment links as DAG runs, against both stand-ins: previewed, made, paid, refreshed, quoted anew."""

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET
from tests.dags.conftest import RunDag
from tests.fineract.loan_book import DISBURSED, PRODUCT, application, standin_client
from tests.gateways.standin import running_standin
from turno_lms.domain.states import LinkPurpose
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.repayments import Repayment
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import load_lenders
from turno_lms.lenders.schema import Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

_LOAN_MASTER = """
create table core.core_loan_master (loan_id text, lender text, status_id integer, overdue_since date);
insert into core.core_loan_master values
('AXL300011', 'axle', 300, '2026-01-05'), ('AXL300012', 'axle', 300, (now() at time zone 'Asia/Kolkata')::date - 29),
('AXL300013', 'axle', 600, '2026-01-05'), ('GB100151', 'gb', 300, '2026-01-05');
grant select on core.core_loan_master to turno_poster;
"""
"""What the rule reads of dbt's table: overdue for long, for 29 days, closed, another lender's."""
EMI = Decimal("5666.67")
"""Of 1,00,000 at 18 per cent flat for 24 months: principal 4,166.67 and interest 1,500.00."""


def make_axle_loans(client: FineractClient, *loan_ids: str) -> None:
    """Loans of the third product, which is axle's, with borrowers who can be reached."""
    for number in range(1, 4):
        client.create_loan_product({**PRODUCT, "name": f"Product {number}", "shortName": f"P{number}"})
    for number, loan_id in enumerate(loan_ids):
        borrower = client.create_client(
            {
                "officeId": 1, "legalFormId": 1, "firstname": "Asha", "lastname": "Verma", "externalId": f"C-{loan_id}",
                "mobileNo": f"900000000{number}", "active": True, "activationDate": DISBURSED,
            }
        )  # fmt: skip
        client.create_loan(application(borrower, 3, loan_id, Decimal(100000)))
        client.approve_loan(loan_id, DISBURSED)
        client.disburse_loan(loan_id, DISBURSED)


def links(warehouse: WarehouseConnection) -> list[Row]:
    rows = warehouse.execute("select * from core.core_payment_link order by link_id").fetchall()
    warehouse.commit()
    return rows


def nobody_told_for_a_day(warehouse: WarehouseConnection) -> None:
    """Every link is one that polling asks about."""
    warehouse.execute(
        "update core.core_payment_link set polled_at = null, sent_at = now() - interval '1 day'"
    )
    warehouse.commit()


def test_links_are_previewed_made_paid_and_quoted_anew(
    run_dag: RunDag, warehouse: WarehouseConnection, fineract_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_lenders(warehouse, load_lenders())
    warehouse.commit()
    client = standin_client(fineract_url)
    make_axle_loans(client, "AXL300001", "AXL300002")
    form: dict[str, Any] = {"lender": "axle", "amount": "emi", "loans": "AXL300001, axl300002 AXL300009"}
    with running_standin() as standin:
        account = {
            "conn_type": "http",
            "host": standin.url,
            "login": f"{API_KEY_ID}_axle",
            "password": API_KEY_SECRET,
        }
        monkeypatch.setenv("AIRFLOW_CONN_TURNO_RAZORPAY_AXLE", json.dumps(account))
        assert run_dag("create_payment_links", **form).state == "success"
        assert links(warehouse) == [], "a dry run stores nothing"

        run = run_dag("create_payment_links", **form, dry_run=False)
        assert run.state == "success", run.tasks
        made = links(warehouse)
        assert [(row["reference"], row["state"], row["amount"]) for row in made] == [
            ("AXL300001_E260105_1", "open", EMI),
            ("AXL300002_E260105_1", "open", EMI),
        ]
        assert run.labels == {"send_account[0]": "axle at razorpay"}
        run_dag("create_payment_links", **form, dry_run=False)
        assert links(warehouse) == made, "run twice: nothing more is made"

        # the first is paid through its link; of the second's instalment 666.67 are paid at the counter
        assert standin.pay_link("AXL300001_E260105_1", "pay_1").ok
        counter = Repayment("c" * 32, "AXL300002", date(2026, 1, 5), Decimal("666.67"), 1)
        assert client.post_repayment(counter, "c-a1").ok
        nobody_told_for_a_day(warehouse)
        run = run_dag("refresh_payment_links", every_link=True)
        assert run.state == "success", run.tasks
        first, second, third = links(warehouse)
        assert (first["state"], first["amount_paid"]) == ("paid", EMI)
        assert (second["state"], second["end_reason"]) == ("cancelled", "dues_changed")
        assert (third["reference"], third["state"], third["amount"], third["replaces"]) == (
            "AXL300002_E260105_2", "open", Decimal("5000.00"), second["link_id"],
        )  # fmt: skip
        log = warehouse.execute(
            "select string_agg(response::text, '') as text from raw.raw_fineract_api_log"
        ).fetchone()
        assert "9000000000" not in (log or {})["text"]

        # an account that refuses us fails the run; what was planned stays planned
        monkeypatch.setenv("AIRFLOW_CONN_TURNO_RAZORPAY_AXLE", json.dumps(account | {"password": "wrong"}))
        nobody_told_for_a_day(warehouse)
        run = run_dag("refresh_payment_links")
        assert (run.state, run.tasks["raise_questions"]) == ("failed", "success")


def test_the_rule_of_being_overdue_chooses_loans_and_a_form_that_cannot_be_used_says_why(
    run_dag: RunDag, warehouse: WarehouseConnection, fineract_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_lenders(warehouse, load_lenders())
    warehouse.execute(_LOAN_MASTER)
    warehouse.commit()
    client = standin_client(fineract_url)
    make_axle_loans(client, "AXL300011", "AXL300012")
    client.set_business_date(date(2026, 3, 20))
    for form in (
        {"lender": "axle"},
        {"lender": "gb", "loans": "GB100151"},  # its mapping has no payment links
        {"lender": "axle", "loans": "AXL1", "overdue_days": 3},
    ):
        assert run_dag("create_payment_links", **form).state == "failed"
    assert links(warehouse) == []
    with running_standin() as standin:
        account = {
            "conn_type": "http",
            "host": standin.url,
            "login": f"{API_KEY_ID}_axle",
            "password": API_KEY_SECRET,
        }
        monkeypatch.setenv("AIRFLOW_CONN_TURNO_RAZORPAY_AXLE", json.dumps(account))
        run = run_dag("create_payment_links", lender="axle", overdue_days=30, amount="overdue", dry_run=False)
    assert run.state == "success", run.tasks
    # of the loan that the warehouse knows as overdue so long; on 20 March three instalments are: January to March
    assert [(row["reference"], row["state"], row["amount"]) for row in links(warehouse)] == [
        ("AXL300011_D260305_1", "open", 3 * EMI)
    ]


def test_the_schedule_follows_the_mappings_that_ask_for_it() -> None:
    from turno_lms.orchestration.payment_links import standing_rules
    from turno_lms.payment_links.selection import Selection

    lenders = load_lenders()
    assert standing_rules(lenders) == []
    axle = lenders["axle"].model_dump(by_alias=True, exclude_unset=True)
    axle["payment_links"]["automatic"] = {"overdue_days": 3, "amount": "overdue"}
    asks = Lender.model_validate(axle)
    assert standing_rules({**lenders, "axle": asks}) == [
        (asks, Selection(overdue_days=3), LinkPurpose.OVERDUE)
    ]
