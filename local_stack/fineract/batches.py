"""POST /batches: several requests in one, each perhaps made from the answer of another.

With `enclosingTransaction=true` everything is one transaction: the first failure takes all of it back, keys included,
and is answered alone. Without it every request that refers to no other begins a transaction of its own with those that
refer to it. What a real server's closed list of addresses does not hold is answered 501.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import QueryParams
from starlette.routing import compile_path

from local_stack.fineract import errors, loan_records, routes, wire
from local_stack.fineract.body import Body
from local_stack.fineract.commands import CommandStatus
from local_stack.fineract.operations import Operation, Target
from local_stack.fineract.store import Store

_OK: Final = 200
_NOT_IMPLEMENTED: Final = 501
_REFERENCE: Final = re.compile(r"\$\.([A-Za-z]+)")
_COMMANDS: Final = frozenset(
    {
        "create_client", "update_client", "activate_client", "create_loan", "approve", "disburse", "undo_approval",
        "undo_disbursal", "reject", "withdraw", "repayment", "foreclosure", "adjust_transaction", "add_charge",
        "waive_charge", "adjust_charge", "waive_interest", "goodwill_credit", "charge_off", "undo_charge_off",
        "write_off", "undo_write_off", "recovery",
    }
)  # fmt: skip


class _RolledBackError(Exception):
    """The first failure of an enclosing batch."""

    def __init__(self, item: dict[str, object]) -> None:
        super().__init__(item)
        self.item = item


@dataclass(frozen=True, slots=True)
class _Item:
    """One request of a batch. `headers` are by their lower-case names."""

    number: int
    method: str
    url: str
    body: str
    reference: int | None
    headers: dict[str, str]

    def referring_to(self, answer: str) -> "_Item":
        """The item with `$.name` in its address and body replaced from the parent's answer."""
        values = json.loads(answer)

        def value(found: re.Match[str]) -> str:
            return str(values.get(found[1], found[0]))

        return _Item(
            self.number,
            self.method,
            _REFERENCE.sub(value, self.url),
            _REFERENCE.sub(value, self.body),
            None,
            self.headers,
        )


class Batch:
    """The requests of one POST /batches."""

    def __init__(self, store: Store, text: bytes) -> None:
        self._store = store
        self._items = list(_read(text))

    def run(self, *, enclosing: bool) -> list[dict[str, object]]:
        """Carry all of it out and return the answers in the order of the requests."""
        if not enclosing:
            return [answer for root in self._roots() for answer in self._tree_alone(root)]
        try:
            with self._store.transaction():
                return sorted(
                    (answer for root in self._roots() for answer in self._tree(root, None, enclosing=True)),
                    key=_number,
                )
        except _RolledBackError as failed:
            return [failed.item]

    def loans(self) -> Iterator[int]:
        """The loans that the requests name: one that is locked locks the batch."""
        for item in self._items:
            found = _resolve(self._store, item)
            if found and found[1].loan_id is not None:
                yield found[1].loan_id

    def _roots(self) -> list[_Item]:
        return [item for item in self._items if item.reference is None]

    def _tree_alone(self, root: _Item) -> list[dict[str, object]]:
        try:
            with self._store.transaction():
                return list(self._tree(root, None, enclosing=True))
        except _RolledBackError as failed:
            text = f"Parent request with id {root.number} was erroneous!"
            children = [item for item in self._items if item.reference == root.number]
            status = int(str(failed.item["statusCode"]))
            return [failed.item, *(_answer(child, status, text.encode()) for child in children)]

    def _tree(self, item: _Item, parent: str | None, *, enclosing: bool) -> Iterator[dict[str, object]]:
        asked = item.referring_to(parent) if parent is not None else item
        answer = self._one(asked)
        if answer["statusCode"] != _OK and enclosing:
            raise _RolledBackError(answer)
        yield answer
        for child in self._items:
            if child.reference == item.number:
                yield from self._tree(child, str(answer["body"]), enclosing=enclosing)

    def _one(self, item: _Item) -> dict[str, object]:
        try:
            found = _resolve(self._store, item, strictly=True)
            if found is None:
                return _answer(item, _NOT_IMPLEMENTED, b'"Command not supported"')
            operation, target = found
            return self._command(item, operation, target)
        except errors.ApiError as error:
            return _answer(item, error.status, wire.encode(error.body))
        except errors.NotProvidedError as error:
            return _answer(item, _NOT_IMPLEMENTED, wire.encode(str(error)))

    def _command(self, item: _Item, operation: Operation, target: Target) -> dict[str, object]:
        key = item.headers.get("idempotency-key")
        found = self._store.row(
            "select * from command where action = ? and entity = ? and idempotency_key = ?",
            operation.action, operation.entity, key,
        ) if key else None  # fmt: skip
        if found is not None and found["result"] is not None:
            cached = {"name": "x-served-from-cache", "value": "true"}
            return {**_answer(item, found["result_status"], found["result"]), "headers": [cached]}
        body = wire.encode(operation.run(self._store, target, Body.parse(item.body.encode())))
        if key:
            self._store.run(
                "insert into command (action, entity, idempotency_key, status, result_status, result)"
                " values (?, ?, ?, ?, ?, ?)",
                operation.action, operation.entity, key, CommandStatus.PROCESSED, _OK, body,
            )  # fmt: skip
        return _answer(item, _OK, body)


def refuse_locked(store: Store, batch: Batch) -> None:
    """409 for the whole batch if close of business holds one of its loans."""
    for loan_id in batch.loans():
        if loan_records.is_locked(store, loan_id):
            raise errors.loan_locked(loan_id)


def _read(text: bytes) -> Iterator[_Item]:
    try:
        items = wire.decode(text)
    except ValueError as error:
        raise errors.invalid_body() from error
    if not isinstance(items, list):
        raise errors.invalid_body()
    for item in items:
        yield _Item(
            number=int(item["requestId"]),
            method=str(item["method"]).upper(),
            url=str(item["relativeUrl"]).removeprefix("/").removeprefix("v1/"),
            body=str(item.get("body") or "{}"),
            reference=item.get("reference"),
            headers={str(each["name"]).lower(): str(each["value"]) for each in item.get("headers") or ()},
        )


def _resolve(store: Store, item: _Item, *, strictly: bool = False) -> tuple[Operation, Target] | None:
    """The command that an address names and what it points at; None for what a batch may not hold or does not find."""
    path, _, query = f"/{item.url}".partition("?")
    asked = (QueryParams(query).get("command") or "").lower() or None
    for resource in routes.RESOURCES:
        pattern, _, convertors = compile_path(resource.path)
        match = pattern.match(path)
        if match is None or resource.method != item.method:
            continue
        operation = (resource.commands or {}).get(asked)
        if operation is None or operation.name not in _COMMANDS:
            return None
        ids = {name: convertors[name].convert(text) for name, text in match.groupdict().items()}
        try:
            return operation, routes.target_of(store, ids)
        except errors.ApiError:
            if strictly:
                raise
            return None
    return None


def _answer(item: _Item, status: int, body: bytes) -> dict[str, object]:
    return {"requestId": item.number, "statusCode": status, "headers": [], "body": body.decode()}


def _number(answer: dict[str, object]) -> int:
    return int(str(answer["requestId"]))
