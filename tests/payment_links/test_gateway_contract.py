"""Both gateways behind one interface, against a stand-in that keeps to what they document: limits, errors, lives."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import certifi
import pytest
import requests

from local_stack.gateways.logins import API_KEY_ID, API_KEY_SECRET, CASHFREE_CLIENT_ID
from tests.gateways.standin import Standin
from tests.payment_links.desk import QUICK, gateway_client, no_record
from turno_lms.payment_links.http import LinkCall, Timeouts
from turno_lms.payment_links.links import (
    Customer,
    GatewayStatus,
    LinkAccountError,
    LinkExistsError,
    LinkGateway,
    LinkOrder,
    LinkRefusedError,
    LinkUnknownError,
    RateLimitedError,
)
from turno_lms.payment_links.razorpay_links import RazorpayLinks

_numbers = count(300101)
ASHA = Customer("Asha Verma", "9000000001", "asha@example.in")
GATEWAYS = ("razorpay", "cashfree")


def order(**fields: object) -> LinkOrder:
    defaults = {
        "reference": f"AXL{next(_numbers)}_E260105_1",
        "loan_id": "AXL300001",
        "amount": Decimal("5499.50"),
        "description": "EMI of 05 Jan 2026",
        "expires_at": datetime.now(UTC) + timedelta(days=7),
        "customer": ASHA,
    }
    return LinkOrder(**{**defaults, **fields})  # type: ignore[arg-type]


@pytest.fixture(params=GATEWAYS)
def gateway(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(standin: Standin, gateway: str) -> LinkGateway:
    standin.calm()
    return gateway_client(standin.url, gateway, no_record, QUICK)


def test_a_link_is_made_found_by_reference_and_cancelled(client: LinkGateway) -> None:
    asked = order()
    assert client.find(asked.reference) is None
    made = client.create(asked)
    assert (made.reference, made.status, made.amount, made.amount_paid) == (
        asked.reference,
        GatewayStatus.ACTIVE,
        Decimal("5499.50"),
        Decimal("0.00"),
    )
    assert made.short_url
    assert client.find(asked.reference) == made == client.find(asked.reference, made.gateway_link_id)
    assert client.cancel(asked.reference, made.gateway_link_id).status is GatewayStatus.CANCELLED
    with pytest.raises(LinkRefusedError, match="cancelled cannot be cancelled"):
        client.cancel(asked.reference, made.gateway_link_id)


def test_a_reference_is_taken_once_also_by_a_link_that_has_ended(client: LinkGateway) -> None:
    asked = order()
    made = client.create(asked)
    client.cancel(asked.reference, made.gateway_link_id)
    with pytest.raises(LinkExistsError):
        client.create(replace(asked, amount=Decimal("1.00")))


def test_razorpay_refuses_a_second_link_under_a_reference(standin: Standin) -> None:
    client = gateway_client(standin.url, "razorpay", no_record, QUICK)
    asked = order()
    client.create(asked)
    with pytest.raises(LinkExistsError, match="already attempted"):
        client.create(asked)


def test_cashfree_answers_a_repeat_under_its_key_and_409_without(standin: Standin) -> None:
    client = gateway_client(standin.url, "cashfree", no_record, QUICK)
    asked = order()
    assert client.create(asked) == client.create(asked)
    # the same key with another body says that there is a link, not that this one is refused
    with pytest.raises(LinkExistsError, match="422"):
        client.create(replace(asked, customer=Customer("Asha Verma", "9000000002")))
    headers = {
        "x-client-id": f"{CASHFREE_CLIENT_ID}_axle",
        "x-client-secret": API_KEY_SECRET,
        "x-api-version": "2025-01-01",
    }
    body = {
        "link_id": asked.reference,
        "link_amount": 5,
        "link_currency": "INR",
        "link_purpose": "x",
        "customer_details": {"customer_phone": "9"},
    }
    again = requests.post(f"{standin.url}/pg/links", json=body, headers=headers, timeout=5)
    assert again.status_code == 409


def test_payments_in_part_and_in_full_come_with_the_link(
    client: LinkGateway, standin: Standin, gateway: str
) -> None:
    asked = order(amount=Decimal("1000.00"), accept_partial=True, minimum_partial=Decimal("400.00"))
    client.create(asked)
    first, second = (f"{number}" for number in (next(_numbers), next(_numbers)))
    assert standin.pay_link(asked.reference, first, gateway=gateway, amount="399.99").status_code == 422
    assert standin.pay_link(asked.reference, first, gateway=gateway, amount="400.00").ok
    part = client.find(asked.reference)
    assert part is not None
    assert (part.status, part.amount_paid) == (GatewayStatus.PARTLY_PAID, Decimal("400.00"))
    with pytest.raises(LinkRefusedError, match="partly_paid cannot be cancelled"):
        client.cancel(asked.reference, part.gateway_link_id)
    assert standin.pay_link(asked.reference, second, gateway=gateway).ok
    whole = client.find(asked.reference)
    assert whole is not None
    assert (whole.status, whole.amount_paid) == (GatewayStatus.PAID, Decimal("1000.00"))
    assert [(each.reference, each.amount) for each in whole.payments] == [
        (f"{gateway}:{first}", Decimal("400.00")),
        (f"{gateway}:{second}", Decimal("600.00")),
    ]


def test_a_link_without_parts_is_paid_whole_and_expires(
    client: LinkGateway, standin: Standin, gateway: str
) -> None:
    asked = order()
    client.create(asked)
    assert standin.pay_link(asked.reference, "1", gateway=gateway, amount="10.00").status_code == 422
    standin.expire_link(asked.reference, gateway)
    found = client.find(asked.reference)
    assert found is not None
    assert found.status is GatewayStatus.EXPIRED
    assert standin.pay_link(asked.reference, "1", gateway=gateway).status_code == 422


def test_razorpay_tells_that_another_contact_paid(standin: Standin) -> None:
    client = gateway_client(standin.url, "razorpay", no_record, QUICK)
    for payment_id, contact, differs in (
        ("pay_own", "+919000000001", False),
        ("pay_other", "+919123456789", True),
    ):
        asked = order()
        client.create(asked)
        assert standin.pay_link(asked.reference, payment_id, contact=contact).ok
        found = client.find(asked.reference)
        assert found is not None
        assert [each.payer_differs for each in found.payments] == [differs]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"expires_at": datetime.now(UTC) + timedelta(minutes=5)}, "atleast 15 minutes"),
        ({"expires_at": datetime.now(UTC) + timedelta(days=200)}, "6 months"),
        ({"amount": Decimal("0.50")}, "atleast INR 1.00"),
        ({"reference": "A" * 41}, "40 characters"),
        ({"loan_id": "A" * 256}, "greater than 255"),
    ],
)
def test_razorpays_limits_are_refusals_for_good(
    standin: Standin, fields: dict[str, object], complaint: str
) -> None:
    client = gateway_client(standin.url, "razorpay", no_record, QUICK)
    with pytest.raises(LinkRefusedError, match=complaint):
        client.create(order(**fields))


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"expires_at": datetime.now(UTC) - timedelta(minutes=1)}, "in the future"),
        ({"amount": Decimal("0.00")}, "greater than 0"),
        ({"reference": "AXL 1"}, "link_id is invalid"),
        ({"customer": Customer("Asha", "")}, "customer_phone is missing"),
    ],
)
def test_cashfrees_limits_are_refusals_for_good(
    standin: Standin, fields: dict[str, object], complaint: str
) -> None:
    client = gateway_client(standin.url, "cashfree", no_record, QUICK)
    with pytest.raises(LinkRefusedError, match=complaint):
        client.create(order(**fields))


@pytest.mark.parametrize(
    ("fault", "error", "is_made"),
    [
        ("rate_limited", RateLimitedError, False),
        ("hang_before", LinkUnknownError, False),
        ("hang_after", LinkUnknownError, True),
        ("error_before", LinkUnknownError, False),
        ("error_after", LinkUnknownError, True),
        ("bad_gateway", LinkUnknownError, False),
    ],
)
def test_each_failure_has_a_type_and_is_not_repeated(
    client: LinkGateway, standin: Standin, capsys: pytest.CaptureFixture[str],
    fault: str, error: type[Exception], is_made: bool,
) -> None:  # fmt: skip
    standin.fault("create", fault, next=1)
    before = standin.counters()["faults"].get(fault, 0)
    asked = order()
    with pytest.raises(error):
        client.create(asked)
    assert standin.counters()["faults"][fault] == before + 1
    assert (client.find(asked.reference) is not None) == is_made
    assert capsys.readouterr().out == ""  # the SDK would print of its failures


def test_cashfree_says_how_long_to_wait(standin: Standin) -> None:
    standin.calm()
    standin.fault("create", "rate_limited", next=2)
    for gateway, seconds in (("cashfree", 1), ("razorpay", None)):
        with pytest.raises(RateLimitedError) as limited:
            gateway_client(standin.url, gateway, no_record, QUICK).create(order())
        assert limited.value.wait_seconds == seconds


def test_above_the_accounts_limit_the_gateway_answers_429(client: LinkGateway, standin: Standin) -> None:
    standin.limit(3)
    answers: list[type[Exception] | None] = []
    for _ in range(8):
        try:
            client.create(order())
            answers.append(None)
        except RateLimitedError as limited:
            answers.append(type(limited))
    standin.calm()
    assert RateLimitedError in answers
    assert None in answers


def test_a_wrong_key_is_an_error_of_the_account(standin: Standin, gateway: str) -> None:
    with pytest.raises(LinkAccountError, match="401"):
        gateway_client(standin.url, gateway, no_record, QUICK, "wrong").create(order())


def test_calls_are_recorded_without_key_and_personal_data(standin: Standin, gateway: str) -> None:
    standin.calm()
    calls: list[LinkCall] = []
    client = gateway_client(standin.url, gateway, calls.append, QUICK)
    made = client.create(order())
    client.cancel(made.reference, made.gateway_link_id)
    text = repr(calls)
    assert [(call.status, call.outcome) for call in calls] == [(200, "ok"), (200, "ok")]
    assert made.reference in text
    for secret in ("9000000001", "Asha", "asha@example.in", API_KEY_SECRET):
        assert secret not in text.replace("standin/", ""), secret


def test_the_sdk_checks_certificates_against_a_current_bundle_and_never_retries() -> None:
    client = RazorpayLinks("https://api.razorpay.com", API_KEY_ID, "x", no_record, Timeouts())
    sdk = client._client
    assert sdk.cert_path == certifi.where()
    assert sdk.retry_enabled is False
    seen: dict[str, object] = {}

    def send(request: object, **options: object) -> requests.Response:
        seen.update(options)
        raise requests.ConnectTimeout

    patched: Callable[..., requests.Response] = send
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sdk.session, "send", patched)
        with pytest.raises(LinkUnknownError, match="ConnectTimeout"):
            client.create(order())
    assert (seen["timeout"], seen["verify"]) == ((5.0, 20.0), certifi.where())
