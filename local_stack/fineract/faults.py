"""Latency and failures for tests: off by default, switched on under `/standin`, gone with a restart.

`POST /standin/rules` adds a rule: `{"requests": ..., "latency_ms": 50}` or `{"requests": ..., "fault": ...,
"next": 3}` or `{"requests": ..., "fault": ..., "rate": 0.05}`; `GET` lists them, `DELETE` clears them.
`requests` is the name of an operation (`repayment`, `adjust_transaction`, `create_loan`, `approve`,
`disburse`, `create_client`, ..., `get_loan`, `list_loans`, `get_transaction`, ...: routes.py names them all),
or `read`, `write`, `any`. Latency of a write is spent between recording its idempotency key and its effect,
where a real server spends it. A call that its key answers from the store meets only those faults of the table
that leave the key unrecorded.

| fault | the change | the key afterwards | the caller sees |
| --- | --- | --- | --- |
| drop_before | not made | not recorded | a dropped connection |
| drop_after | made | answered as done | a dropped connection |
| hang_before | not made | not recorded | no answer until the caller gives up |
| hang_after | made | answered as done | no answer until the caller gives up |
| error_before | not made | recorded with the 500 | 500 |
| error_after | made | answered as done | 500 |
| stuck | made | under processing for ever: 425 | a dropped connection |
| bad_gateway | not made | not recorded | 502 with a page of HTML |
| unavailable | not made | not recorded | 503, a job is running |
| loan_locked | not made | not recorded | 409, close of business holds the loan |
| refused_503 | not made | recorded with the 503 | 503, the loan is written off (until release 1.10) |
| conflict | not made | recorded with the 409 | 409, concurrent modification |
| late | made, a second late | answered as done | 200, a second late |
| maker_checker | not made | awaits approval | 200 without a resource id |

A read knows only the first four, error_before, bad_gateway and unavailable. The other paths: `POST
/standin/loan-locks` and `DELETE /standin/loan-locks` with `{"loanId": n}` put and lift the close-of-business
lock of one loan; `PUT /standin/settings` with `{"retry_pauses_ms": [1000, 2000], "seed": 7}` sets the
server's own pauses between its three tries, and the seed of `rate`; `GET /standin/counters` tells what really
happened.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What goes wrong; the module's table says how."""

    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    STUCK = "stuck"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    LOAN_LOCKED = "loan_locked"
    REFUSED_503 = "refused_503"
    CONFLICT = "conflict"
    LATE = "late"
    MAKER_CHECKER = "maker_checker"


LATE_MS: Final = 1000
"""How late a late command is: longer than an impatient caller waits."""

READ_FAULTS: Final = frozenset(
    {
        Fault.DROP_BEFORE,
        Fault.DROP_AFTER,
        Fault.HANG_BEFORE,
        Fault.HANG_AFTER,
        Fault.ERROR_BEFORE,
        Fault.BAD_GATEWAY,
        Fault.UNAVAILABLE,
    }
)


class DroppedError(Exception):
    """The connection is to be cut without an answer."""


class HungError(Exception):
    """No answer is to be given while the caller waits."""


class BadGatewayError(Exception):
    """The answer is to be a proxy's page of HTML."""


@dataclass(slots=True)
class Rule:
    """Latency or a fault for a class of requests; `left` counts down where only the next few are meant."""

    requests: str
    fault: Fault | None = None
    latency_ms: int = 0
    rate: Decimal | None = None
    left: int | None = None

    def covers(self, name: str, is_read: bool) -> bool:
        """Whether the rule speaks of such a request."""
        return self.requests in {name, "any", "read" if is_read else "write"} and self.left != 0


@dataclass(frozen=True, slots=True)
class Conditions:
    """What one request meets."""

    latency_ms: int = 0
    fault: Fault | None = None


@dataclass(slots=True)
class Weather:
    """The rules in force, and what they did so far."""

    rules: list[Rule] = field(default_factory=list)
    retry_pauses_ms: tuple[int, ...] = (1000, 2000)
    struck: Counter[str] = field(default_factory=Counter)
    # repeatable trouble, no secret
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311

    def meet(self, name: str, is_read: bool) -> Conditions:
        """The latency (the rules' longest) and the first fault that strikes a request of that name."""
        latency, fault = 0, None
        for rule in self.rules:
            if not rule.covers(name, is_read):
                continue
            latency = max(latency, rule.latency_ms)
            if fault is None and self._strikes(rule, is_read):
                fault = rule.fault
        return Conditions(latency, fault)

    def _strikes(self, rule: Rule, is_read: bool) -> bool:
        if rule.fault is None or (is_read and rule.fault not in READ_FAULTS):
            return False
        if rule.rate is not None and self.chance.random() >= rule.rate:
            return False
        if rule.left is not None:
            rule.left -= 1
        self.struck[rule.fault] += 1
        return True


def raise_before(fault: Fault | None) -> None:
    """Cut, hang or replace the answer of a request whose work has not begun."""
    if fault is Fault.DROP_BEFORE:
        raise DroppedError
    if fault is Fault.HANG_BEFORE:
        raise HungError
    if fault is Fault.BAD_GATEWAY:
        raise BadGatewayError


def raise_after(fault: Fault | None) -> None:
    """Cut or hang a request whose work is done."""
    if fault in {Fault.DROP_AFTER, Fault.STUCK}:
        raise DroppedError
    if fault is Fault.HANG_AFTER:
        raise HungError
