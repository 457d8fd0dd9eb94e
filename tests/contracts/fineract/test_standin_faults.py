"""The `/standin` paths of the stand-in: each fault does to the change, the key and the caller what its table says."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.contracts.fineract.contract_client import (
    FORMAT,
    Borrower,
    Fineract,
    LoanAccount,
    code_of,
    read,
    unique,
)

CACHED = "x-served-from-cache"


@pytest.fixture
def loan(standin: Fineract) -> LoanAccount:
    """An active loan on the stand-in."""
    return Borrower(standin, standin.client(), standin.product()).active()


def _standin(server: Fineract, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
    url = server.base.partition("/fineract-provider")[0] + "/standin" + path
    answer = server.session.request(method, url, json=body, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def _rule(server: Fineract, **rule: Any) -> None:
    _standin(server, "POST", "/rules", rule)


def _attempt(
    loan: LoanAccount, key: str, external_id: str, patience: float = 20.0
) -> requests.Response | None:
    """A repayment; None when no answer came."""
    body = {**FORMAT, "transactionDate": "2025-02-05", "transactionAmount": 10, "externalId": external_id}
    path = f"{loan.fineract.base}{loan.path}/transactions?command=repayment"
    headers = {"Fineract-Platform-TenantId": "default", "Idempotency-Key": key}
    try:
        return requests.post(path, json=body, headers=headers, auth=("mifos", "password"), timeout=patience)
    except (requests.ConnectionError, requests.Timeout):
        return None


@pytest.mark.parametrize(
    ("fault", "first", "made", "second"),
    [
        ("drop_before", None, False, (200, False)),
        ("drop_after", None, True, (200, True)),
        ("hang_before", None, False, (200, False)),
        ("hang_after", None, True, (200, True)),
        ("error_before", 500, False, (500, True)),
        ("error_after", 500, True, (200, True)),
        ("stuck", None, True, (425, True)),
        ("bad_gateway", 502, False, (200, False)),
        ("unavailable", 503, False, (200, False)),
        ("loan_locked", 409, False, (200, False)),
        ("conflict", 409, False, (409, True)),
        ("maker_checker", 200, False, (403, False)),
    ],
)
def test_a_fault_strikes_once_and_leaves_the_key_as_the_table_says(
    loan: LoanAccount, fault: str, first: int | None, made: bool, second: tuple[int, bool]
) -> None:
    _rule(loan.fineract, requests="repayment", fault=fault, next=1)
    key, external_id = unique(), unique()
    struck = _attempt(loan, key, external_id, patience=0.5 if fault.startswith("hang") else 20.0)
    assert (None if struck is None else struck.status_code) == first
    assert len(loan.repayments()) == made
    again = _attempt(loan, key, external_id)
    assert again is not None
    assert (again.status_code, CACHED in again.headers) == second


def test_the_two_conflicts_are_told_apart_by_their_codes(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", fault="loan_locked", next=1)
    locked = loan.repay("2025-02-05", 10)
    _rule(loan.fineract, requests="repayment", fault="conflict", next=1)
    conflict = loan.repay("2025-02-05", 10)
    assert code_of(locked) == "error.msg.loan.locked"
    assert str(loan.look()["id"]) in locked.text
    assert code_of(conflict).startswith("error.msg.platform.service.")
    assert code_of(conflict).endswith(".conflict")


def test_a_running_job_is_a_503_that_may_be_tried_again(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", fault="unavailable", next=1)
    answer = loan.repay("2025-02-05", 10)
    assert read(answer)["userMessageGlobalisationCode"] == "error.msg.platform.service.unavailable"
    assert code_of(answer) == "error.msg.sheduler.job.currently.running"


def test_maker_checker_answers_without_a_resource_id(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", fault="maker_checker", next=1)
    answer = loan.fineract.ok(loan.repay("2025-02-05", 10))
    assert "resourceId" not in answer
    assert loan.repayments() == []


def test_a_loan_lock_stands_until_it_is_lifted_and_spares_reads_and_other_loans(loan: LoanAccount) -> None:
    other = Borrower(loan.fineract, loan.fineract.client(), loan.fineract.product()).active()
    body = {"loanId": loan.look()["id"]}
    _standin(loan.fineract, "POST", "/loan-locks", body)
    key = unique()
    assert [loan.repay("2025-02-05", 10, key).status_code for _ in range(2)] == [409, 409]
    assert other.repay("2025-02-05", 10).status_code == 200
    assert loan.look()["status"]["id"] == 300
    _standin(loan.fineract, "DELETE", "/loan-locks", body)
    assert loan.repay("2025-02-05", 10, key).status_code == 200


def test_latency_holds_the_named_requests_only(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", latency_ms=200)
    began = time.monotonic()
    loan.look()
    looked = time.monotonic()
    loan.fineract.ok(loan.repay("2025-02-05", 10))
    assert looked - began < 0.2
    assert time.monotonic() - looked >= 0.2


def test_reads_can_be_struck_too(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="get_transaction", fault="error_before", next=1)
    paid = loan.fineract.ok(loan.repay("2025-02-05", 10))["resourceExternalId"]
    path = f"{loan.path}/transactions/external-id/{paid}"
    assert [loan.fineract.get(path).status_code for _ in range(2)] == [500, 200]


def test_a_rate_strikes_its_share_and_repeats_with_its_seed(loan: LoanAccount) -> None:
    def struck() -> list[int]:
        _standin(loan.fineract, "PUT", "/settings", {"seed": 7})
        return [loan.repay("2025-02-05", 1).status_code for _ in range(40)]

    _rule(loan.fineract, requests="repayment", fault="bad_gateway", rate=0.5)
    first = struck()
    assert 8 < first.count(502) < 32
    assert struck() == first


def test_a_key_under_way_is_a_425_until_it_is_done(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", latency_ms=1000)
    key, external_id = unique(), unique()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(_attempt, loan, key, external_id)
        time.sleep(0.3)
        # the server's own tries last 20 + 40 ms here, less than the first call's latency
        early = _attempt(loan, key, external_id)
        done = first.result()
    assert early is not None
    assert done is not None
    assert (early.status_code, early.headers[CACHED]) == (425, "true")
    assert read(early)["externalId"] == external_id
    late = _attempt(loan, key, external_id)
    assert late is not None
    assert (done.status_code, late.status_code, late.headers[CACHED]) == (200, 200, "true")


def test_a_second_call_on_a_loan_under_way_is_tried_again_by_the_server(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", latency_ms=50)
    before = _standin(loan.fineract, "GET", "/counters")["repayments_posted"]
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(_attempt, loan, unique(), unique()) for _ in range(2)]
        found = [answer.result() for answer in answers]
    statuses = [answer.status_code for answer in found if answer is not None]
    assert statuses == [200, 200]
    counters = _standin(loan.fineract, "GET", "/counters")
    assert counters["repayments_posted"] == before + 2
    assert counters["most_writes_at_once_on_a_loan"] == 2


def test_a_loan_too_busy_for_three_tries_is_a_recorded_conflict(loan: LoanAccount) -> None:
    _rule(loan.fineract, requests="repayment", latency_ms=300)
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(_attempt, loan, unique(), unique()) for _ in range(6)]
        found = [answer.result() for answer in answers]
    statuses = sorted(answer.status_code for answer in found if answer is not None)
    # all six read one version; in each of three rounds one of those left wins
    assert statuses == [200, 200, 200, 409, 409, 409]
    assert len(loan.repayments()) == 3


def test_counters_tell_what_really_happened(loan: LoanAccount) -> None:
    before = _standin(loan.fineract, "GET", "/counters")
    _rule(loan.fineract, requests="repayment", fault="drop_after", next=1)
    key, external_id = unique(), unique()
    _attempt(loan, key, external_id)
    _attempt(loan, key, external_id)
    after = _standin(loan.fineract, "GET", "/counters")
    assert after["repayments_posted"] == before["repayments_posted"] + 1
    assert after["replayed"]["repayment"] == before["replayed"].get("repayment", 0) + 1
    assert after["faults"]["drop_after"] == before["faults"].get("drop_after", 0) + 1


@pytest.mark.parametrize(
    "rule", [{"requests": "repaymnt"}, {"requests": "any", "fault": "boom"}, {"fault": "stuck"}]
)
def test_a_rule_nobody_understands_is_refused(standin: Fineract, rule: dict[str, str]) -> None:
    url = standin.base.partition("/fineract-provider")[0] + "/standin/rules"
    assert standin.session.post(url, json=rule, timeout=10).status_code == 400


def test_what_only_a_real_server_computes_is_a_501_and_frees_the_key(loan: LoanAccount) -> None:
    borrower = Borrower(loan.fineract, loan.fineract.client(), loan.fineract.product())
    key = unique()
    refused = loan.fineract.post("/loans", borrower.application(graceOnInterestPayment=2), key)
    assert (refused.status_code, "graceOnInterestPayment" in refused.text) == (501, True)
    assert loan.fineract.post("/loans", borrower.application(), key).status_code == 200
