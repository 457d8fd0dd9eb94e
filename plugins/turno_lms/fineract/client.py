"""Fineract's v1 API as typed calls over one keep-alive session. One client per thread.

Every attempt has a timeout and goes to the audit sink. Numbers are exact in both directions, bodies that are not JSON
are survived, redirects are not followed. Reads return None for what is absent; every other failure is a FineractError
that says what may follow. `post_repayment` alone returns the bare Answer, because the ledger judges it.
Facts: the Fineract contract as of release 1.10.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode
from uuid import uuid4

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from turno_lms.fineract import exact_json
from turno_lms.fineract.answers import SERVED_FROM_CACHE, Answer, Delivery, read_answer
from turno_lms.fineract.audit import AuditSink, Call
from turno_lms.fineract.errors import FineractNotFoundError, FineractUnknownOutcomeError, RetryClass, error_of
from turno_lms.fineract.repayments import Repayment

Json = dict[str, Any]
FORMATS: Json = {"dateFormat": "yyyy-MM-dd", "locale": "en"}
"""How dates and numbers of a body are written; every body with one of them says so."""
_PAGE = 200
_API_ROOT = "/api/v1"
_HEALTH = "/actuator/health"  # beside the API's root, not under it


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection and for the next byte of an answer."""

    connect: float = 5.0
    read: float = 60.0


def loan_path(external_id: str) -> str:
    """The path of a loan by external id, safe for any text."""
    return f"/loans/external-id/{quote(external_id, safe='')}"


def client_path(external_id: str) -> str:
    """The path of a client by external id, safe for any text."""
    return f"/clients/external-id/{quote(external_id, safe='')}"


def transaction_path(loan_external_id: str, external_id: str) -> str:
    """The path of a loan's transaction by external id."""
    return f"{loan_path(loan_external_id)}/transactions/external-id/{quote(external_id, safe='')}"


class FineractClient:
    """Calls one tenant. `base_url` ends in `/fineract-provider/api/v1`; the session carries tenant and credentials."""

    def __init__(
        self, base_url: str, session: requests.Session, audit: AuditSink, timeouts: Timeouts = Timeouts()
    ):
        self._base_url = base_url.rstrip("/")
        self._session = session
        self._audit = audit
        self.timeouts = timeouts

    # ------------------------------------------------------------ service

    def health(self) -> bool:
        """Whether Fineract answers at all (any answer below 500 to its health page)."""
        answer = self._call("GET", _HEALTH, "health")
        return answer.status is not None and answer.status < 500  # noqa: PLR2004  # the HTTP class of server faults

    def set_business_date(self, day: date) -> None:
        """Switch the business date on and set it."""
        self._write(
            "PUT", "/configurations/name/enable-business-date", {"enabled": True}, "set_business_date"
        )
        self._write(
            "POST", "/businessdate", {"type": "BUSINESS_DATE", "date": day, **FORMATS}, "set_business_date"
        )

    # ------------------------------------------------------------ products and payment types

    def list_loan_products(self) -> list[Json]:
        """Every loan product."""
        return self._list("/loanproducts", "list_loan_products")

    def create_loan_product(self, product: Mapping[str, Any]) -> int:
        """Create a loan product; returns its id."""
        return self._create("/loanproducts", product, "create_loan_product", str(product.get("name")))

    def list_payment_types(self) -> list[Json]:
        """Every payment type."""
        return self._list("/paymenttypes", "list_payment_types")

    def create_payment_type(self, name: str, position: int) -> int:
        """Create a payment type that is not cash; returns its id."""
        body = {"name": name, "description": name, "isCashPayment": False, "position": position}
        return int(self._write("POST", "/paymenttypes", body, "create_payment_type", name)["resourceId"])

    # ------------------------------------------------------------ clients

    def create_client(self, client: Mapping[str, Any]) -> int:
        """Create a client; returns its id. An external id makes a second call fail instead of doubling it."""
        return self._create("/clients", client, "create_client", client.get("externalId"))

    def activate_client(self, client_id: int, on: date) -> None:
        """Activate a pending client as of `on`."""
        body = {"activationDate": on, **FORMATS}
        self._write("POST", f"/clients/{client_id}?command=activate", body, "activate_client", str(client_id))

    def find_client(self, external_id: str) -> Json | None:
        """A client by external id, None if there is none."""
        return self._find(client_path(external_id), "find_client", external_id)

    def read_client(self, client_id: int) -> Json:
        """A client by Fineract's number. Raises FineractNotFoundError if there is none."""
        return self._read(f"/clients/{client_id}", "read_client", str(client_id))

    # ------------------------------------------------------------ loans

    def create_loan(self, application: Mapping[str, Any]) -> int:
        """Submit a loan application; returns the loan's id."""
        return self._create("/loans", application, "create_loan", application.get("externalId"), "loanId")

    def calculate_schedule(self, application: Mapping[str, Any]) -> Json:
        """The schedule an application would get. Writes nothing in Fineract."""
        return self._write(
            "POST", "/loans?command=calculateLoanSchedule", _dated(application), "calculate_schedule"
        )

    def approve_loan(self, external_id: str, on: date, amount: Decimal | None = None) -> None:
        """Approve a submitted loan, for `amount` rupees or all that was asked."""
        optional = {} if amount is None else {"approvedLoanAmount": amount}
        self._loan_command(external_id, "approve", {"approvedOnDate": on, **optional})

    def disburse_loan(self, external_id: str, on: date, amount: Decimal | None = None) -> None:
        """Disburse an approved loan, for `amount` rupees or all that was approved."""
        optional = {} if amount is None else {"transactionAmount": amount}
        self._loan_command(external_id, "disburse", {"actualDisbursementDate": on, **optional})

    def find_loan(self, external_id: str, associations: tuple[str, ...] = ()) -> Json | None:
        """A loan by external id with the named associations, None if there is none."""
        query = f"?{urlencode({'associations': ','.join(associations)})}" if associations else ""
        return self._find(loan_path(external_id) + query, "find_loan", external_id)

    def loan_pages(self, page_size: int = _PAGE) -> Iterator[list[Json]]:
        """Every loan in pages, in order of id. Without that order pages would overlap."""
        offset = 0
        while True:
            query = urlencode({"offset": offset, "limit": page_size, "orderBy": "id", "sortOrder": "ASC"})
            page: list[Json] = self._read(f"/loans?{query}", "list_loans")["pageItems"]
            if page:
                yield page
            if len(page) < page_size:
                return
            offset += page_size

    def list_loans(self, page_size: int = _PAGE) -> Iterator[Json]:
        """Every loan, in order of id."""
        for page in self.loan_pages(page_size):
            yield from page

    # ------------------------------------------------------------ transactions

    def loan_transactions(self, loan_external_id: str) -> list[Json]:
        """All transactions of a loan, reversed ones included. Raises FineractNotFoundError for an unknown loan."""
        path = f"{loan_path(loan_external_id)}?associations=transactions"
        transactions: list[Json] = self._read(path, "loan_transactions", loan_external_id).get(
            "transactions", []
        )
        return transactions

    def post_repayment(self, repayment: Repayment, idempotency_key: str) -> Answer:
        """Send a repayment once and return whatever came back; raises nothing for a refusal or a lost answer."""
        path = f"{loan_path(repayment.loan_external_id)}/transactions?command={repayment.command}"
        body = {**repayment.body(), **FORMATS}
        return self._call(
            "POST",
            path,
            "repayment",
            subject=repayment.external_id,
            body=body,
            idempotency_key=idempotency_key,
        )

    def look_up_transaction(self, loan_external_id: str, external_id: str) -> Answer:
        """The bare answer of `find_transaction`, for a caller that must tell "absent" from "no idea"."""
        return self._call(
            "GET", transaction_path(loan_external_id, external_id), "read_back", subject=external_id
        )

    def find_transaction(self, loan_external_id: str, external_id: str) -> Json | None:
        """A loan's transaction by external id, None if there is none."""
        return self._find(transaction_path(loan_external_id, external_id), "find_transaction", external_id)

    def undo_transaction(self, loan_external_id: str, external_id: str, on: date) -> None:
        """Reverse a repayment. It keeps its external id, so a correction needs a new one."""
        body = {"transactionDate": on, "transactionAmount": 0, **FORMATS}
        path = transaction_path(loan_external_id, external_id)
        self._write("POST", path, body, "undo_transaction", external_id)

    def pay_off_quote(self, loan_external_id: str, command: str, on: date) -> Json:
        """What Fineract would take to end the loan on a day: the template of `foreclosure` or `prepayLoan`."""
        query = urlencode({"command": command, "transactionDate": f"{on:%Y-%m-%d}", **FORMATS})
        path = f"{loan_path(loan_external_id)}/transactions/template?{query}"
        return self._read(path, f"{command}_quote", loan_external_id)

    # ------------------------------------------------------------ any call, judged by the caller

    def send(
        self, method: str, path: str, body: Any, *, purpose: str, subject: str, idempotency_key: str | None
    ) -> Answer:
        """Send a write once and return whatever came back; raises nothing. `body` goes out as it is."""
        return self._call(method, path, purpose, subject=subject, body=body, idempotency_key=idempotency_key)

    def look(
        self, path: str, *, purpose: str, subject: str | None = None, shown_path: str | None = None
    ) -> Answer:
        """Read once and return whatever came back. `shown_path` is what the API log may show of a path with personal
        data in it.
        """
        return self._call("GET", path, purpose, subject=subject, shown_path=shown_path)

    # ------------------------------------------------------------ plumbing

    def _create(
        self,
        path: str,
        fields: Mapping[str, Any],
        purpose: str,
        subject: str | None,
        id_field: str = "resourceId",
    ) -> int:
        answer = self._write("POST", path, _dated(fields), purpose, subject)
        return int(answer[id_field])

    def _loan_command(self, external_id: str, command: str, fields: Json) -> None:
        path = f"{loan_path(external_id)}?command={command}"
        self._write("POST", path, {**fields, **FORMATS}, f"{command}_loan", external_id)

    def _find(self, path: str, purpose: str, subject: str) -> Json | None:
        try:
            return self._read(path, purpose, subject)
        except FineractNotFoundError:
            return None

    def _list(self, path: str, purpose: str) -> list[Json]:
        answer = self._call("GET", path, purpose)
        if not answer.ok or not isinstance(answer.body, list):
            raise error_of(f"GET {path}", answer)
        return answer.body

    def _read(self, path: str, purpose: str, subject: str | None = None) -> Json:
        return self._object(f"GET {path}", self._call("GET", path, purpose, subject=subject))

    def _write(self, method: str, path: str, body: Json, purpose: str, subject: str | None = None) -> Json:
        """One write under a key of its own: nothing here repeats it, external ids and loan states guard a repeat."""
        answer = self._call(method, path, purpose, subject=subject, body=body, idempotency_key=uuid4().hex)
        return self._object(f"{method} {path}", answer)

    @staticmethod
    def _object(call: str, answer: Answer) -> Json:
        if not answer.ok:
            raise error_of(call, answer)
        if not isinstance(answer.body, dict):
            raise FineractUnknownOutcomeError(call, answer, RetryClass.AFTER_LOOKUP)
        return answer.body

    def _call(
        self,
        method: str,
        path: str,
        purpose: str,
        *,
        subject: str | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        shown_path: str | None = None,
    ) -> Answer:
        """One attempt, audited."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        started = time.perf_counter()
        base_url = self._base_url.removesuffix(_API_ROOT) if path == _HEALTH else self._base_url
        answer = self._exchange(method, base_url + path, body, headers)
        duration = round((time.perf_counter() - started) * 1000)
        call = Call(purpose, method, shown_path or path, answer, duration, subject, idempotency_key, body)
        self._audit.record(call)
        return answer

    def _exchange(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Answer:
        data = None if body is None else exact_json.dumps(body).encode()
        if data is not None:
            headers = {**headers, "Content-Type": "application/json"}
        try:
            response = self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False,
                timeout=(self.timeouts.connect, self.timeouts.read),
            )  # fmt: skip
        except requests.RequestException as error:
            delivery = Delivery.NOT_SENT if _never_connected(error) else Delivery.LOST
            return Answer(delivery, message=f"{type(error).__name__}: {error}"[:300])
        return read_answer(response.status_code, response.text, from_cache=_from_cache(response))


def _dated(fields: Mapping[str, Any]) -> Json:
    return {**fields, **FORMATS}


def _from_cache(response: requests.Response) -> bool:
    return response.headers.get(SERVED_FROM_CACHE, "").lower() == "true"


def _never_connected(error: requests.RequestException) -> bool:
    """True only where the request cannot have left: no connection, or a certificate we do not trust."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(error, requests.ConnectTimeout) or isinstance(
        reason, NewConnectionError | ConnectTimeoutError
    ):
        return True
    cause = reason.args[0] if isinstance(reason, Exception) and reason.args else None
    return isinstance(cause, ssl.SSLCertVerificationError)
