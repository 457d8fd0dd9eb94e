"""The `/standin` paths: rules, locks and settings for tests, and counters of what happened. No tenant, no login."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local_stack.fineract import loan_records, routes, wire
from local_stack.fineract.enums import TransactionType
from local_stack.fineract.faults import Fault, Rule, Weather
from local_stack.fineract.store import Store

Asked = TypeVar("Asked")
_NAMES: Final = routes.names_of(routes.RESOURCES)
_BAD_REQUEST: Final = 400


class RuleRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /standin/rules."""

    requests: str
    fault: Fault | None = None
    latency_ms: int = 0
    rate: Decimal | None = None
    next: int | None = None


class LockRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST and DELETE /standin/loan-locks."""

    loanId: int  # noqa: N815 - the API's spelling


class SettingsRequest(msgspec.Struct, forbid_unknown_fields=True):
    """Body of PUT /standin/settings."""

    retry_pauses_ms: tuple[int, ...] | None = None
    seed: int | None = None


@dataclass(slots=True)
class Traffic:
    """What was answered, and how much was under way at once."""

    answered: Counter[tuple[str, int]] = field(default_factory=Counter)
    replayed: Counter[str] = field(default_factory=Counter)
    writes_under_way: Counter[int | None] = field(default_factory=Counter)
    most_writes_at_once: int = 0
    most_writes_at_once_on_a_loan: int = 0

    def begin_write(self, loan_id: int | None) -> None:
        """Count a command that starts."""
        self.writes_under_way[loan_id] += 1
        self.most_writes_at_once = max(self.most_writes_at_once, self.writes_under_way.total())
        if loan_id is not None:
            most = max(self.most_writes_at_once_on_a_loan, self.writes_under_way[loan_id])
            self.most_writes_at_once_on_a_loan = most

    def end_write(self, loan_id: int | None) -> None:
        """Count a command that ended, however it did."""
        self.writes_under_way[loan_id] -= 1
        if not self.writes_under_way[loan_id]:
            del self.writes_under_way[loan_id]


class StandIn:
    """The handlers of the `/standin` paths."""

    def __init__(self, store: Store, weather: Weather, traffic: Traffic) -> None:
        self._store = store
        self._weather = weather
        self._traffic = traffic

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/standin/rules", self._rules, methods=["GET"]),
            Route("/standin/rules", self._add_rule, methods=["POST"]),
            Route("/standin/rules", self._clear_rules, methods=["DELETE"]),
            Route("/standin/loan-locks", self._lock, methods=["POST", "DELETE"]),
            Route("/standin/settings", self._set, methods=["PUT"]),
            Route("/standin/counters", self._counters, methods=["GET"]),
        ]

    async def _rules(self, _: Request) -> Response:
        return _json([_shown(rule) for rule in self._weather.rules])

    async def _add_rule(self, request: Request) -> Response:
        asked = await _asked(request, RuleRequest)
        if asked.requests not in _NAMES:
            raise HTTPException(_BAD_REQUEST, f"requests must be one of {', '.join(sorted(_NAMES))}")
        self._weather.rules.append(
            Rule(asked.requests, asked.fault, asked.latency_ms, asked.rate, asked.next)
        )
        return await self._rules(request)

    async def _clear_rules(self, request: Request) -> Response:
        self._weather.rules.clear()
        return await self._rules(request)

    async def _lock(self, request: Request) -> Response:
        asked = await _asked(request, LockRequest)
        with self._store.transaction():
            self._store.run("delete from loan_lock where loan_id = ?", asked.loanId)
            if request.method == "POST":
                self._store.run("insert into loan_lock (loan_id) values (?)", asked.loanId)
        return _json({"loanId": asked.loanId, "locked": loan_records.is_locked(self._store, asked.loanId)})

    async def _set(self, request: Request) -> Response:
        asked = await _asked(request, SettingsRequest)
        if asked.retry_pauses_ms is not None:
            self._weather.retry_pauses_ms = asked.retry_pauses_ms
        if asked.seed is not None:
            self._weather.chance.seed(asked.seed)
        return _json({"retry_pauses_ms": self._weather.retry_pauses_ms})

    async def _counters(self, _: Request) -> Response:
        posted = self._store.rows(
            "select count(*) as n from loan_transaction where type = ? and replays is null",
            TransactionType.REPAYMENT,
        )
        answered: dict[str, dict[str, int]] = {}
        for (name, status), count in sorted(self._traffic.answered.items()):
            answered.setdefault(name, {})[str(status)] = count
        return _json(
            {
                "repayments_posted": posted[0]["n"],
                "answered": answered,
                "replayed": dict(self._traffic.replayed),
                "faults": dict(self._weather.struck),
                "most_writes_at_once": self._traffic.most_writes_at_once,
                "most_writes_at_once_on_a_loan": self._traffic.most_writes_at_once_on_a_loan,
            }
        )


async def _asked(request: Request, kind: type[Asked]) -> Asked:
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.MsgspecError as error:
        raise HTTPException(_BAD_REQUEST, str(error)) from error


def _shown(rule: Rule) -> dict[str, object]:
    shown = {"requests": rule.requests, "latency_ms": rule.latency_ms, "rate": rule.rate, "next": rule.left}
    return {**shown, "fault": rule.fault}


def _json(value: object) -> Response:
    return Response(wire.encode(value), media_type="application/json")
