"""Trouble for tests of payment links: off by default, switched on under `/standin`, gone with a restart.

`POST /standin/rules` adds a rule `{"requests": "create", "fault": "hang_after", "rate": "0.1"}` or `"next": 3` in
place of the rate; `GET` lists them, `DELETE` clears them. `requests` is `create`, `find`, `cancel` or `any`.
`PUT /standin/settings` with `{"links_per_second": 5, "seed": 7}` sets the limit above which the gateways answer 429,
and the seed of `rate`. `GET /standin/counters` tells what really happened.

| fault | the change | the caller sees |
| --- | --- | --- |
| hang_before | not made | no answer until the caller gives up |
| hang_after | made | no answer until the caller gives up |
| late | made once the caller has given up | no answer |
| error_before | not made | 500 |
| error_after | made | 500 |
| bad_gateway | not made | 502 with a page of HTML |
| rate_limited | not made | 429 |
"""

import random
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Fault(StrEnum):
    """What goes wrong; the module's table says how."""

    HANG_BEFORE = "hang_before"
    HANG_AFTER = "hang_after"
    LATE = "late"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    BAD_GATEWAY = "bad_gateway"
    RATE_LIMITED = "rate_limited"


class Rule(BaseModel):
    """A fault for a class of requests; `next` counts down where only the next few are meant."""

    model_config = ConfigDict(extra="forbid")

    requests: str
    fault: Fault
    rate: Decimal | None = None
    next: int | None = None


class Settings(BaseModel):
    """Body of PUT /standin/settings."""

    model_config = ConfigDict(extra="forbid")

    links_per_second: int | None = None
    seed: int | None = None


@dataclass
class Weather:
    """The rules in force, and what they did so far."""

    rules: list[Rule] = field(default_factory=list)
    links_per_second: int | None = None
    struck: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    # repeatable trouble, no secret
    chance: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311
    _second: int = 0
    _in_second: int = 0

    def change(self, settings: Settings) -> None:
        """Take over what is given."""
        if settings.seed is not None:
            self.chance.seed(settings.seed)
        self.links_per_second = settings.links_per_second
        self._in_second = 0

    def meet(self, name: str) -> Fault | None:
        """The fault that strikes a request of that name, the account's limit first."""
        if self.links_per_second is not None and self._is_over_limit():
            self.struck[Fault.RATE_LIMITED] += 1
            return Fault.RATE_LIMITED
        for rule in self.rules:
            if self._strikes(rule, name):
                self.struck[rule.fault] += 1
                return rule.fault
        return None

    def _is_over_limit(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._in_second = second, 0
        self._in_second += 1
        return self._in_second > (self.links_per_second or 0)

    def _strikes(self, rule: Rule, name: str) -> bool:
        if rule.requests not in {name, "any"} or rule.next == 0:
            return False
        if rule.rate is not None and Decimal(str(self.chance.random())) >= rule.rate:
            return False
        if rule.next is not None:
            rule.next -= 1
        return True
