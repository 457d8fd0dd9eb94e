"""Clients, products, the states of a loan and how loans are read."""

from decimal import Decimal

from tests.contracts.fineract.contract_client import (
    FLAT,
    FORMAT,
    MONTHS,
    YEARS,
    Borrower,
    Fineract,
    Json,
    LoanAccount,
    dues,
    portions,
    unique,
)


def _status(loan: LoanAccount) -> int:
    return int(loan.look()["status"]["id"])


def test_a_client_is_pending_until_activated(fineract: Fineract) -> None:
    external_id = unique("C")
    body = {**FORMAT, "officeId": 1, "legalFormId": 1, "fullname": "Meera Devi", "active": False}
    made = fineract.ok(fineract.post("/clients", {**body, "externalId": external_id}))
    path = f"/clients/external-id/{external_id}"
    before = fineract.ok(fineract.get(path))
    assert (before["id"], before["active"], before["displayName"]) == (made["clientId"], False, "Meera Devi")
    assert made["resourceExternalId"] == external_id
    fineract.ok(fineract.post(f"{path}?command=activate", {**FORMAT, "activationDate": "2025-01-01"}))
    after = fineract.ok(fineract.get(f"/clients/{made['clientId']}"))
    assert (after["active"], after["activationDate"]) == (True, [2025, 1, 1])


def test_clients_are_found_by_external_id(fineract: Fineract) -> None:
    external_id = unique("C")
    client_id = fineract.client(externalId=external_id)
    page = fineract.ok(fineract.get("/clients", externalId=external_id))
    assert page["totalFilteredRecords"] == 1
    assert [c["id"] for c in page["pageItems"]] == [client_id]


def test_a_loan_for_a_pending_client_is_refused(fineract: Fineract, borrower: Borrower) -> None:
    body = {**FORMAT, "officeId": 1, "legalFormId": 1, "fullname": "Meera Devi", "active": False}
    client_id = fineract.ok(fineract.post("/clients", body))["clientId"]
    refusal = fineract.post("/loans", borrower.application(clientId=client_id))
    assert refusal.status_code == 403
    assert "client.not.active.exception" in refusal.text


def test_a_product_is_shown_as_it_was_made(fineract: Fineract) -> None:
    name = unique("Product ")
    product_id = fineract.product(name=name, interestType=FLAT, numberOfRepayments=18)
    found = fineract.ok(fineract.get(f"/loanproducts/{product_id}"))
    assert (found["name"], found["numberOfRepayments"]) == (name, 18)
    assert (found["interestType"]["id"], found["interestRateFrequencyType"]["id"]) == (FLAT, YEARS)
    assert found["currency"]["code"] == "INR"
    assert product_id in {p["id"] for p in fineract.ok(fineract.get("/loanproducts"))}


def test_the_loan_template_proposes_the_products_terms(borrower: Borrower) -> None:
    template = borrower.fineract.ok(
        borrower.fineract.get(
            "/loans/template",
            clientId=borrower.client_id,
            productId=borrower.product_id,
            templateType="individual",
        )
    )
    assert (template["numberOfRepayments"], template["repaymentFrequencyType"]["id"]) == (12, MONTHS)
    assert (template["principal"], template["interestRatePerPeriod"]) == (Decimal(10000), 12)
    assert template["transactionProcessingStrategyCode"] == "mifos-standard-strategy"


def test_a_product_bounds_its_loans(fineract: Fineract) -> None:
    product = fineract.product(minPrincipal=5000, maxPrincipal=15000)
    borrower = Borrower(fineract, fineract.client(), product)
    refusal = fineract.post("/loans", borrower.application(principal=15001))
    assert (refusal.status_code, "principal" in refusal.text) == (400, True)
    assert fineract.post("/loans", borrower.application(principal=15000)).status_code == 200


def test_a_loan_walks_through_its_states(borrower: Borrower) -> None:
    loan = borrower.submitted()
    assert _status(loan) == 100
    answer = borrower.fineract.ok(loan.command("approve", {**FORMAT, "approvedOnDate": "2025-01-02"}))
    assert (answer["resourceId"], answer["loanId"]) == (loan.look()["id"],) * 2
    assert answer["changes"]["status"]["id"] == _status(loan) == 200
    borrower.fineract.ok(loan.command("undoapproval", {}))
    assert _status(loan) == 100
    borrower.fineract.ok(loan.command("approve", {**FORMAT, "approvedOnDate": "2025-01-03"}))
    borrower.fineract.ok(loan.command("disburse", {**FORMAT, "actualDisbursementDate": "2025-01-05"}))
    timeline = loan.look()["timeline"]
    assert _status(loan) == 300
    assert timeline["submittedOnDate"] == [2025, 1, 1]
    assert timeline["approvedOnDate"] == [2025, 1, 3]
    assert timeline["actualDisbursementDate"] == [2025, 1, 5]
    assert timeline["expectedMaturityDate"] == [2026, 1, 5]


def test_a_submitted_loan_can_be_rejected_or_withdrawn(borrower: Borrower) -> None:
    rejected, withdrawn = borrower.submitted(), borrower.submitted()
    borrower.fineract.ok(rejected.command("reject", {**FORMAT, "rejectedOnDate": "2025-01-02"}))
    borrower.fineract.ok(
        withdrawn.command("withdrawnByApplicant", {**FORMAT, "withdrawnOnDate": "2025-01-02"})
    )
    assert (_status(rejected), _status(withdrawn)) == (500, 400)


def test_approving_less_lends_less(borrower: Borrower) -> None:
    # 6000 flat at 12 %: 500 + 60 a month
    loan = borrower.submitted()
    body = {**FORMAT, "approvedOnDate": "2025-01-02", "approvedLoanAmount": 6000}
    borrower.fineract.ok(loan.command("approve", body))
    borrower.fineract.ok(loan.command("disburse", {**FORMAT, "actualDisbursementDate": "2025-01-05"}))
    found = loan.look("repaymentSchedule")
    periods = [p for p in found["repaymentSchedule"]["periods"] if "period" in p]
    assert found["summary"]["principalDisbursed"] == Decimal(6000)
    assert dues(periods) == [(Decimal(500), Decimal(60))] * 12


def test_the_disbursement_is_a_transaction_with_its_own_external_id(borrower: Borrower) -> None:
    loan, external_id = borrower.approved(), unique("D")
    body = {**FORMAT, "actualDisbursementDate": "2025-01-05", "externalId": external_id}
    borrower.fineract.ok(loan.command("disburse", body))
    found = loan.transaction(external_id)
    assert (found["type"]["id"], found["amount"]) == (1, Decimal(12000))


def test_undoing_a_disbursal_reverses_everything(borrower: Borrower) -> None:
    loan = borrower.active()
    paid = loan.paid("2025-02-05", 1120)
    borrower.fineract.ok(loan.command("undodisbursal", {}))
    assert _status(loan) == 200
    assert "summary" not in loan.look()
    borrower.fineract.ok(loan.command("disburse", {**FORMAT, "actualDisbursementDate": "2025-01-05"}))
    assert loan.look()["summary"]["totalRepayment"] == 0
    assert portions(loan.paid("2025-02-05", 1120)) == portions(paid)


def test_associations_come_only_when_asked_for(borrower: Borrower) -> None:
    loan = borrower.active()
    assert {"transactions", "repaymentSchedule"}.isdisjoint(loan.look())
    assert "transactions" in loan.look("transactions")
    assert "repaymentSchedule" not in loan.look("transactions")
    assert {"transactions", "repaymentSchedule"} <= set(loan.look("all"))


def test_the_summary_appears_with_the_money(borrower: Borrower) -> None:
    assert "summary" not in borrower.approved().look()
    assert borrower.active().look()["summary"]["totalOutstanding"] == Decimal(13440)


def test_a_loan_long_due_is_overdue(borrower: Borrower) -> None:
    # every installment of 2025 lies in the past
    loan = borrower.active()
    loan.paid("2025-02-05", 1120)
    found = loan.look()
    assert found["inArrears"] is True
    assert found["summary"]["totalOverdue"] == Decimal(12320)
    assert found["summary"]["overdueSinceDate"] == [2025, 3, 5]


def test_loans_are_listed_with_their_summary_and_nothing_longer(borrower: Borrower) -> None:
    loan = borrower.active()
    page = borrower.fineract.ok(borrower.fineract.get("/loans", externalId=loan.external_id))
    assert page["totalFilteredRecords"] == 1
    [row] = page["pageItems"]
    assert (row["externalId"], row["summary"]["totalOutstanding"]) == (loan.external_id, Decimal(13440))
    assert {"transactions", "repaymentSchedule"}.isdisjoint(row)


def test_pages_in_order_of_id_hold_every_loan_once(fineract: Fineract) -> None:
    borrower = Borrower(fineract, fineract.client(), fineract.product())
    made = {borrower.submitted().external_id for _ in range(5)}
    total = fineract.ok(fineract.get("/loans", limit=1))["totalFilteredRecords"]
    seen: list[Json] = []
    while len(seen) < total:
        page = fineract.ok(fineract.get("/loans", offset=len(seen), limit=50, orderBy="id", sortOrder="ASC"))
        assert page["pageItems"], "a page came back empty before the end"
        seen += page["pageItems"]
    ids = [row["id"] for row in seen]
    assert ids == sorted(set(ids))
    assert made <= {row["externalId"] for row in seen}


def test_loans_are_filtered_by_status(borrower: Borrower) -> None:
    submitted, active = borrower.submitted(), borrower.active()
    query = {"status": 100, "orderBy": "id", "sortOrder": "DESC", "limit": 100}
    found = {
        row["externalId"]
        for row in borrower.fineract.ok(borrower.fineract.get("/loans", **query))["pageItems"]
    }
    assert submitted.external_id in found
    assert active.external_id not in found


def test_payment_types_are_added_and_listed(fineract: Fineract) -> None:
    name = unique("Gateway ")
    body = {"name": name, "description": "from a test", "isCashPayment": False, "position": 9}
    made = fineract.ok(fineract.post("/paymenttypes", body))
    assert {t["id"]: t["name"] for t in fineract.ok(fineract.get("/paymenttypes"))}[
        made["resourceId"]
    ] == name
