"""Settlement reports: both gateways, file and API, landed once; what does not add up is refused with its line."""

import json
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.dbt.project import DbtProject
from turno_lms.domain.runs import RunContext
from turno_lms.gateways.api import CashfreeApi, RazorpayApi
from turno_lms.ingestion.refusals import FileRefusedError
from turno_lms.orchestration.settlements import read_report
from turno_lms.reconciliation.settlement_layouts import read_api
from turno_lms.reconciliation.settlement_lines import SettlementError, SettlementLine
from turno_lms.reconciliation.settlements import Landed, Report, account_of, digest, land
from turno_lms.warehouse.connection import WarehouseConnection

RUN = RunContext("land_settlement_reports", "test")
HEADINGS = (
    "transaction_entity,entity_id,amount,currency,fee (exclusive tax),tax,debit,credit,payment_method,settlement_id,"
    "settled_at,settlement_utr"
)
# 5499.00 at 2 % is 109.98, GST 18 % of it 19.80: 5369.22 reach the bank. The refund takes 200.00 out of it.
RAZORPAY = f"""{HEADINGS}
payment,pay_1,5499.00,INR,109.98,19.80,0.00,5369.22,card,setl_1,07/01/2026 11:30:00,UTR1
refund,rfnd_1,200.00,INR,0.00,0.00,200.00,0.00,,setl_1,07/01/2026 11:30:00,UTR1
payment,pay_2,100.00,INR,0.00,0.00,0.00,100.00,upi,,,
"""
RAZORPAY_ITEMS = [
    {
        "type": "payment", "entity_id": "pay_1", "amount": 549900, "fee": 12978, "tax": 1980, "debit": 0,
        "credit": 536922, "method": "card", "settled": True, "settlement_id": "setl_1", "settlement_utr": "UTR1",
        "settled_at": 1767765600,  # 2026-01-07 06:00 UTC
    },
    {
        "type": "refund", "entity_id": "rfnd_1", "payment_id": "pay_0", "amount": 20000, "fee": 0, "tax": 0,
        "debit": 20000, "credit": 0, "method": "card", "settled": True, "settlement_id": "setl_1",
        "settlement_utr": "UTR1", "settled_at": 1767765600,
    },
]  # fmt: skip
CASHFREE = """Event ID,Event Type,Sale Type,Event Amount,Event Settlement Amount,Settlement Date,UTR,Settlement ID,Service Tax
77,PAYMENT,CREDIT,"1,000.00",988.20,2026-01-07 10:00:00,UTR2,42,1.80
78,REFUND,DEBIT,50.00,50.00,2026-01-07 10:00:00,UTR2,42,
"""
CASHFREE_ITEMS = [
    {
        "event_id": "77", "event_type": "PAYMENT", "sale_type": "CREDIT", "event_amount": 1000.00,
        "event_settlement_amount": 988.20, "payment_service_tax": 1.80, "cf_payment_id": 77, "payment_group": "upi",
        "cf_settlement_id": 42, "settlement_utr": "UTR2", "settlement_date": "2026-01-07T10:00:00+05:30",
    },
]  # fmt: skip


def read_file(gateway: str, content: str | bytes) -> list[SettlementLine]:
    """What becomes of a report file's bytes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "report"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_report(gateway, path, "report")


def told(line: SettlementLine) -> tuple[Any, ...]:
    return (
        line.entity, line.entity_id, line.payment_id, line.amount, line.fee, line.tax, line.net, line.settlement_id,
        line.utr, line.settled_on,
    )  # fmt: skip


def exact(items: list[dict[str, Any]]) -> Any:
    return json.loads(json.dumps(items), parse_float=Decimal)


PAY_1 = (
    "payment", "pay_1", "pay_1", Decimal("5499.00"), Decimal("129.78"), Decimal("19.80"), Decimal("5369.22"), "setl_1",
    "UTR1", date(2026, 1, 7),
)  # fmt: skip
EVENT_77 = (
    "payment", "77", "77", Decimal("1000.00"), Decimal("11.80"), Decimal("1.80"), Decimal("988.20"), "42", "UTR2",
    date(2026, 1, 7),
)  # fmt: skip


def test_a_report_says_the_same_as_file_and_by_api() -> None:
    assert told(read_file("razorpay", RAZORPAY)[0]) == PAY_1
    assert told(read_api("razorpay", RAZORPAY_ITEMS)[0]) == PAY_1
    assert told(read_file("cashfree", CASHFREE)[0]) == EVENT_77
    assert told(read_api("cashfree", exact(CASHFREE_ITEMS))[0]) == EVENT_77


def test_refunds_take_and_what_is_not_settled_yet_is_left_out() -> None:
    assert [(line.entity, line.net) for line in read_file("razorpay", RAZORPAY)] == [
        ("payment", Decimal("5369.22")),
        ("refund", Decimal("-200.00")),
    ]
    assert [line.net for line in read_file("cashfree", CASHFREE)] == [Decimal("988.20"), Decimal("-50.00")]
    assert read_api("razorpay", RAZORPAY_ITEMS)[1].payment_id == "pay_0"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("109.98", "100.00"), "line 2, pay_1: 5499.00 less 5369.22 is 129.78, but its fee is 119.80"),
        (("5499.00", "5.4x"), "line 2: .* is not an amount"),
        (("settlement_utr", "utr_of_it"), "report lacks the column 'settlement_utr'"),
        (("07/01/2026 11:30:00", "8 January"), "line 2: .*8 January"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_line(change: tuple[str, str], complaint: str) -> None:
    with pytest.raises((SettlementError, FileRefusedError), match=complaint):
        read_file("razorpay", RAZORPAY.replace(*change))


def test_the_key_names_gateway_and_lender() -> None:
    assert account_of("settlements/razorpay/axle/2026-01-07.csv") == ("razorpay", "axle")
    assert account_of("settlements/cashfree/axle/January.XLSX") == ("cashfree", "axle")
    for key in (
        "settlements/paypal/axle/x.csv",
        "settlements/razorpay/x.csv",
        "settlements/razorpay/axle/x.pdf",
    ):
        assert account_of(key) is None


def test_a_report_lands_once_and_a_line_once_whichever_way_it_comes(warehouse: WarehouseConnection) -> None:
    lines = read_file("razorpay", RAZORPAY)
    file = Report("razorpay", "axle", "file", "a.csv", digest(RAZORPAY.encode()), lines)
    assert land(warehouse, file, RUN) == Landed("a.csv", 2, 2, Decimal("5169.22"))
    assert land(warehouse, file, RUN).lines_new == 0
    api = Report("razorpay", "axle", "api", "2026-01-07", "sha", read_api("razorpay", RAZORPAY_ITEMS))
    assert land(warehouse, api, RUN).lines_new == 0
    reports = warehouse.execute(
        "select name, lines, lines_new from raw.raw_gateway_settlement_report"
    ).fetchall()
    assert [tuple(row.values()) for row in reports] == [("a.csv", 2, 2), ("2026-01-07", 2, 0)]
    changed = [{**RAZORPAY_ITEMS[0], "fee": 12900, "credit": 537000}]
    with pytest.raises(
        SettlementError, match="pay_1 of settlement setl_1 came before with 5499.00 129.78 5369.22"
    ):
        land(warehouse, Report("razorpay", "axle", "api", "later", "x", read_api("razorpay", changed)), RUN)
    count = warehouse.execute("select count(*) as lines from raw.raw_gateway_settlement_line").fetchone()
    assert count == {"lines": 2}


class _Gateway(BaseHTTPRequestHandler):
    """Answers the two calls as documented: Razorpay by count and skip, Cashfree by cursor."""

    asked: ClassVar[list[Any]] = []

    def do_GET(self) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        self.asked.append((urlsplit(self.path).path, query))
        skip = int(query["skip"])
        self._answer({"entity": "collection", "items": RAZORPAY_ITEMS[skip : skip + int(query["count"])]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((self.path, body))
        first = body["pagination"]["cursor"] is None
        self._answer({"cursor": "next" if first else None, "data": CASHFREE_ITEMS if first else []})

    def _answer(self, content: Any) -> None:
        text = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def gateway_url() -> Iterator[str]:
    _Gateway.asked.clear()
    server = HTTPServer(("127.0.0.1", 0), _Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_apis_are_asked_for_a_day_in_india(gateway_url: str) -> None:
    day = date(2026, 1, 7)
    razorpay = list(RazorpayApi(gateway_url, "key", "secret").settled_on(day))
    assert told(read_api("razorpay", razorpay)[0]) == PAY_1
    cashfree = list(CashfreeApi(gateway_url, "id", "secret").settled_on(day))
    assert told(read_api("cashfree", cashfree)[0]) == EVENT_77
    (path, query), (_, body), (_, again) = _Gateway.asked
    assert (path, query["year"], query["month"], query["day"]) == (
        "/v1/settlements/recon/combined",
        "2026",
        "01",
        "07",
    )
    assert body["filters"] == {
        "start_date": "2026-01-07T00:00:00+05:30",
        "end_date": "2026-01-07T23:59:59+05:30",
    }
    assert again["pagination"]["cursor"] == "next"


def test_the_rules_about_settlements_and_the_ladder_hold(project: DbtProject) -> None:
    """The models' unit tests, each rule by its own rows."""
    models = (
        "core_recon_side", "core_recon_exact", "core_recon_near", "core_recon_group", "core_recon_left_over",
        "core_gateway_settlement_payment", "core_gateway_settlement_finding", "core_transaction_data",
    )  # fmt: skip
    results = project.unit_tests(*models)
    assert len(results) >= len(models)
