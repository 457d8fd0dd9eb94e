"""Delivery of webhooks to the receiver: signed, several at a time, again with back-off until answered 200."""

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import requests

from local_stack.gateways.payments import Delivery, Payment
from local_stack.gateways.webhooks import Webhook, signed_headers, webhooks_of

SENDERS = 8
BACK_OFF_SECONDS = (0.23, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Waits between attempts. The real ladders last a day (Razorpay) or 42 minutes (Cashfree)."""
_ANSWER_SECONDS = 5
_OK = 200


class Courier:
    """Sends webhooks to one receiver with the secrets of its lenders, keyed `<gateway>:<lender>`."""

    def __init__(
        self, receiver_url: str, secrets: Mapping[str, str], back_off: Sequence[float] = BACK_OFF_SECONDS
    ) -> None:
        self._receiver_url = receiver_url
        self._secrets = secrets
        self._back_off = back_off
        self._local = threading.local()

    def missing_secrets(self, payments: Iterable[Payment]) -> set[str]:
        """Those `<gateway>:<lender>` of `payments` whose webhooks could not be signed."""
        return {_account(payment) for payment in payments} - set(self._secrets)

    def can_sign(self, webhook: Webhook) -> bool:
        """Whether there is a secret for the webhook's account."""
        return _account(webhook) in self._secrets

    def deliver(self, payments: Iterable[Payment]) -> list[Delivery]:
        """Send every event of `payments`, each as often as its payment says; return when all are settled."""
        return self.send(
            [
                webhook
                for payment in payments
                for webhook in webhooks_of(payment)
                for _ in range(payment.copies)
            ]
        )

    def send(self, webhooks: Iterable[Webhook]) -> list[Delivery]:
        """Send each of `webhooks` until it is taken; return when all are settled."""
        with ThreadPoolExecutor(SENDERS) as senders:
            return list(senders.map(self._send, webhooks))

    def _send(self, webhook: Webhook) -> Delivery:
        status = None
        attempts = 0
        for wait in (0.0, *self._back_off):
            time.sleep(wait)
            attempts += 1
            status = self._post(webhook)
            if status == _OK:
                break
        return Delivery(
            payment_id=webhook.payment_id,
            event=webhook.event,
            event_id=webhook.event_id,
            attempts=attempts,
            status=status,
        )

    def _post(self, webhook: Webhook) -> int | None:
        """One attempt, signed anew; the answer's status, or None without an answer in time."""
        secret = self._secrets[_account(webhook)]
        url = f"{self._receiver_url}/webhooks/{webhook.gateway}/{webhook.lender}"
        headers = signed_headers(webhook, secret, time.time_ns() // 1_000_000)
        try:
            answer = self._session().post(url, data=webhook.body, headers=headers, timeout=_ANSWER_SECONDS)
        except requests.RequestException:
            return None
        return answer.status_code

    def _session(self) -> requests.Session:
        """The thread's own session: its connections are kept open between webhooks."""
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


def _account(item: Payment | Webhook) -> str:
    return f"{item.gateway}:{item.lender}"
