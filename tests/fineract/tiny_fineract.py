"""A few hundred bytes of Fineract for odd answers: repayments with unique external ids and idempotency keys, and a
script of faults for the next calls. Bodies are the documented ones. The stand-in covers the contract; this covers what
a well-behaved server never does.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import unquote, urlsplit

from turno_lms.fineract import exact_json

BASE = "/fineract-provider/api/v1"
HTML = "<html><body><h1>Something in between</h1></body></html>"


class Fault(StrEnum):
    """What happens to one repayment call."""

    NONE = "none"
    DROPPED_BEFORE = "dropped_before"
    DROPPED_AFTER = "dropped_after"
    FAULT_500_BEFORE = "fault_500_before"
    FAULT_500_AFTER = "fault_500_after"
    FAULT_500_RECORDED = "fault_500_recorded"
    HTML_502_BEFORE = "html_502_before"
    HTML_502_AFTER = "html_502_after"
    STILL_RUNNING_425 = "still_running_425"
    LOCKED_409 = "locked_409"
    CONFLICT_409 = "conflict_409"
    SCHEDULER_503 = "scheduler_503"
    PERMANENT_503 = "permanent_503"
    REFUSED_400 = "refused_400"
    INTEGRITY_403_AFTER = "integrity_403_after"
    HTML_404 = "html_404"
    FUTURE_DATE_403 = "future_date_403"
    UNAUTHORISED_401 = "unauthorised_401"
    MAKER_CHECKER_200 = "maker_checker_200"
    OF_ANOTHER_200 = "of_another_200"
    UNREADABLE_200_AFTER = "unreadable_200_after"


class LookFault(StrEnum):
    """What happens to one look-up."""

    NONE = "none"
    DROPPED = "dropped"
    FAULT_500 = "fault_500"
    HTML_404 = "html_404"
    UNAUTHORISED_401 = "unauthorised_401"


@dataclass(frozen=True)
class Reply:
    """What goes back over the wire; no reply at all drops the connection."""

    status: int
    body: Any
    from_cache: bool = False


def error(status: int, code: str, message: str = "") -> Reply:
    entry = {
        "userMessageGlobalisationCode": code,
        "developerMessage": message or code,
        "defaultUserMessage": code,
    }
    top = {
        "httpStatusCode": str(status),
        "userMessageGlobalisationCode": "validation.msg.domain.rule.violation",
    }
    return Reply(status, {**top, "developerMessage": "see errors", "errors": [entry]})


EFFECT_FIRST = {
    Fault.DROPPED_AFTER, Fault.FAULT_500_AFTER, Fault.HTML_502_AFTER, Fault.INTEGRITY_403_AFTER,
    Fault.UNREADABLE_200_AFTER,
}  # fmt: skip
RECORDED = {
    Fault.FAULT_500_RECORDED: Reply(500, {"Exception": "java.lang.NullPointerException"}),
    Fault.CONFLICT_409: error(409, "error.msg.platform.service.loan.conflict"),
    Fault.PERMANENT_503: error(503, "error.msg.loan.written.off.update.not.allowed"),
    Fault.REFUSED_400: error(400, "error.msg.loan.must.be.active.fully.paid.or.overpaid"),
    Fault.FUTURE_DATE_403: error(403, "error.msg.loan.transaction.cannot.be.a.future.date"),
    Fault.MAKER_CHECKER_200: Reply(200, {"commandId": 7}),
}
UNRECORDED: dict[Fault, Reply | None] = {
    Fault.DROPPED_BEFORE: None,
    Fault.DROPPED_AFTER: None,
    Fault.FAULT_500_BEFORE: Reply(500, {"Exception": "no database connection"}),
    Fault.FAULT_500_AFTER: Reply(500, {"Exception": "no database connection"}),
    Fault.HTML_502_BEFORE: Reply(502, HTML),
    Fault.HTML_502_AFTER: Reply(502, HTML),
    Fault.STILL_RUNNING_425: Reply(425, {"transactionAmount": 1}),
    Fault.LOCKED_409: error(409, "error.msg.loan.locked"),
    Fault.SCHEDULER_503: error(503, "error.msg.sheduler.job.currently.running"),
    Fault.INTEGRITY_403_AFTER: error(403, "error.msg.data.integrity.issue"),
    Fault.HTML_404: Reply(404, HTML),
    Fault.UNAUTHORISED_401: Reply(401, HTML),
    Fault.OF_ANOTHER_200: Reply(
        200,
        {
            "loanId": 999,
            "resourceId": 999,
            "resourceExternalId": "another",
            "changes": {"transactionAmount": "1"},
        },
    ),
    Fault.UNREADABLE_200_AFTER: Reply(200, HTML),
}
LOOK_REPLIES: dict[LookFault, Reply | None] = {
    LookFault.DROPPED: None,
    LookFault.FAULT_500: Reply(500, {"Exception": "no database connection"}),
    LookFault.HTML_404: Reply(404, HTML),
    LookFault.UNAUTHORISED_401: Reply(401, HTML),
}


@dataclass
class TinyFineract:
    """The server's state. `faults` and `look_faults` are used up call by call; then everything goes well."""

    url: str = ""
    faults: deque[Fault] = field(default_factory=deque)
    look_faults: deque[LookFault] = field(default_factory=deque)
    transactions: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    before_reply: Callable[[], None] | None = None
    healthy: bool = True
    _recorded: dict[str, Reply] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def reset(self) -> None:
        """Forget everything."""
        self.__init__(url=self.url)  # type: ignore[misc]  # a fresh state at the same address

    def answer(self, method: str, path: str, headers: Any, body: dict[str, Any] | None) -> Reply | None:
        if path.endswith("/actuator/health"):
            return Reply(200 if self.healthy else 503, {"status": "UP" if self.healthy else "DOWN"})
        parts = [unquote(part) for part in urlsplit(path).path.removeprefix(BASE).split("/")]
        loan = parts[3]
        with self._lock:
            if method == "POST" and body is not None:
                return self._repay(loan, headers.get("Idempotency-Key"), body)
            return self._look(loan, parts[-1])

    def _repay(self, loan: str, key: str, body: dict[str, Any]) -> Reply | None:
        fault = self.faults.popleft() if self.faults else Fault.NONE
        self.sent.append({"key": key, "loan": loan, "fault": fault, **body})
        if self.before_reply:
            self.before_reply()
        if key in self._recorded:
            old = self._recorded[key]
            return Reply(old.status, old.body, from_cache=True)
        if fault in RECORDED:
            self._recorded[key] = RECORDED[fault]
            return RECORDED[fault]
        if fault is Fault.NONE or fault in EFFECT_FIRST:
            self._recorded[key] = self._carry_out(loan, body)
        return self._recorded[key] if fault is Fault.NONE else UNRECORDED[fault]

    def _carry_out(self, loan: str, body: dict[str, Any]) -> Reply:
        external_id = body["externalId"]
        if external_id in self.transactions:
            return error(400, "validation.msg.loan.transaction.externalId.value.must.be.unique")
        number = 100 + len(self.transactions)
        self.transactions[external_id] = {
            "id": number, "loan": loan, "externalId": external_id, "amount": body["transactionAmount"],
            "date": body["transactionDate"], "manuallyReversed": False,
        }  # fmt: skip
        changes = {"transactionAmount": f"{Decimal(str(body['transactionAmount'])):,}", "locale": "en"}
        return Reply(
            200, {"loanId": 1, "resourceId": number, "resourceExternalId": external_id, "changes": changes}
        )

    def _look(self, loan: str, external_id: str) -> Reply | None:
        fault = self.look_faults.popleft() if self.look_faults else LookFault.NONE
        if fault is not LookFault.NONE:
            return LOOK_REPLIES[fault]
        found = self.transactions.get(external_id)
        if found is None or found["loan"] != loan:
            return error(404, "error.msg.loan.transaction.external.id.invalid")
        day = date.fromisoformat(found["date"])
        return Reply(200, {**found, "date": [day.year, day.month, day.day]})


def _handler(state: TinyFineract) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length).decode()
            body = exact_json.loads(raw) if raw else None
            reply = state.answer(self.command, self.path, self.headers, body)
            if reply is None:
                self.close_connection = True
                return
            is_html = isinstance(reply.body, str)
            data = (reply.body if is_html else exact_json.dumps(reply.body)).encode()
            self.send_response(reply.status)
            self.send_header("Content-Type", "text/html" if is_html else "application/json")
            self.send_header("Content-Length", str(len(data)))
            if reply.from_cache:
                self.send_header("x-served-from-cache", "true")
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PUT = _serve  # noqa: N815  # names given by the standard library

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    return Handler


@contextmanager
def tiny_fineract(port: int = 0) -> Iterator[TinyFineract]:
    """The server on a free or given port, in a thread of this process."""
    state = TinyFineract()
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(state))
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}{BASE}"
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
