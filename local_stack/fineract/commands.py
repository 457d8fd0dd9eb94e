"""Running a command as Fineract's command processing does: three transactions around it, and the idempotency store.

The key's row is written `UNDER_PROCESSING` on its own; the change commits; the answer is saved under the key.
A death between the second and the third leaves the key at 425 for ever although the change is made. The scope
of a key is (action, entity), never the body.

Changes run one at a time on the event loop. A loan read before the latency and changed by another call during
it is what Fineract's optimistic lock would refuse: the command is tried again after the server's pauses, and
after the last try the 409 is recorded.
"""

import asyncio
import secrets
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from sqlite3 import IntegrityError
from typing import Final

from local_stack.fineract import errors, faults, loan_records, wire
from local_stack.fineract.body import Body
from local_stack.fineract.errors import ApiError
from local_stack.fineract.faults import Conditions, Fault, Weather
from local_stack.fineract.operations import Operation, Target
from local_stack.fineract.store import DuplicateError, Store

_OK: Final = 200
_TOO_EARLY: Final = 425
_MILLISECONDS: Final = 1000


class CommandStatus(IntEnum):
    """State of a stored command."""

    PROCESSED = 1
    AWAITING_APPROVAL = 2
    UNDER_PROCESSING = 4
    ERROR = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer ready to be sent; `replayed` when it comes from the idempotency store."""

    status: int
    body: bytes
    replayed: bool = False


class _ConflictError(Exception):
    """Another command changed the loan meanwhile."""


class CommandProcessor:
    """Runs commands against the store, once for each key."""

    def __init__(self, store: Store, weather: Weather) -> None:
        self._store = store
        self._weather = weather

    async def process(
        self, operation: Operation, target: Target, text: bytes, key: str | None, conditions: Conditions
    ) -> Reply:
        """Run the command, or repeat what its key is remembered with; raises ApiError for what is not recorded."""
        key = key or secrets.token_urlsafe(24)
        body = Body.parse(text if text or operation.needs_body else b"{}")
        self._refuse_unrecorded(target, conditions.fault)
        remembered = await self._remembered(operation, key, text)
        if remembered is not None:
            return remembered
        command_id = self._begin(operation, key)
        if conditions.fault is Fault.MAKER_CHECKER:
            return self._await_approval(command_id)
        try:
            answer = await self._run(operation, target, body, conditions)
        except ApiError as error:
            return self._finish(command_id, CommandStatus.ERROR, error.status, wire.encode(error.body))
        except errors.NotProvidedError:
            self._forget(command_id)
            raise
        except Exception as error:
            traceback.print_exc()
            failed = errors.uncaught(str(error))
            return self._finish(command_id, CommandStatus.ERROR, failed.status, wire.encode(failed.body))
        return self._succeed(command_id, wire.encode(answer), conditions.fault)

    async def _remembered(self, operation: Operation, key: str, text: bytes) -> Reply | None:
        """The stored answer of a key; waits like the server while another call with the key is under way."""
        for pause in self._tries():
            found = self._store.row(
                "select * from command where action = ? and entity = ? and idempotency_key = ?",
                operation.action,
                operation.entity,
                key,
            )
            # a command that awaits approval is not found here; its row then refuses a second one
            if found is None or found["status"] == CommandStatus.AWAITING_APPROVAL:
                return None
            if found["status"] != CommandStatus.UNDER_PROCESSING:
                return Reply(found["result_status"], found["result"], replayed=True)
            if pause is not None:
                await asyncio.sleep(pause / _MILLISECONDS)
        return Reply(_TOO_EARLY, text, replayed=True)

    def _tries(self) -> Iterator[int | None]:
        """The pause after each of the server's tries, None after the last."""
        yield from self._weather.retry_pauses_ms
        yield None

    def _refuse_unrecorded(self, target: Target, fault: Fault | None) -> None:
        faults.raise_before(fault)
        if fault is Fault.LOAN_LOCKED or loan_records.is_locked(self._store, target.loan_id):
            raise errors.loan_locked(target.loan_id)
        if fault is Fault.UNAVAILABLE:
            raise errors.job_running()

    def _begin(self, operation: Operation, key: str) -> int:
        try:
            with self._store.transaction():
                return self._store.run(
                    "insert into command (action, entity, idempotency_key, status) values (?, ?, ?, ?)",
                    operation.action,
                    operation.entity,
                    key,
                    CommandStatus.UNDER_PROCESSING,
                )
        except (DuplicateError, IntegrityError) as error:
            message = "Unknown data integrity issue with resource: command"
            raise errors.integrity("error.msg.data.integrity.issue", message) from error

    async def _run(
        self, operation: Operation, target: Target, body: Body, conditions: Conditions
    ) -> dict[str, object]:
        if conditions.fault is Fault.ERROR_BEFORE:
            raise errors.uncaught("The stand-in was told to fail.")
        if conditions.fault is Fault.CONFLICT:
            raise errors.conflict("loan", target.loan_id)
        if conditions.fault is Fault.REFUSED_503:
            raise errors.refused_when_written_off()
        latency_ms = conditions.latency_ms + (faults.LATE_MS if conditions.fault is Fault.LATE else 0)
        for pause in self._tries():
            version = loan_records.version_of(self._store, target.loan_id)
            if latency_ms:
                await asyncio.sleep(latency_ms / _MILLISECONDS)
            try:
                return self._change(operation, target, body, version)
            except _ConflictError:
                if pause is not None:
                    await asyncio.sleep(pause / _MILLISECONDS)
        raise errors.conflict("loan", target.loan_id)

    def _change(
        self, operation: Operation, target: Target, body: Body, version: int | None
    ) -> dict[str, object]:
        with self._store.transaction():
            if loan_records.version_of(self._store, target.loan_id) != version:
                raise _ConflictError
            return operation.run(self._store, target, body)

    def _succeed(self, command_id: int, result: bytes, fault: Fault | None) -> Reply:
        if fault is Fault.STUCK:
            raise faults.DroppedError
        reply = self._finish(command_id, CommandStatus.PROCESSED, _OK, result)
        faults.raise_after(fault)
        if fault is Fault.ERROR_AFTER:
            raise errors.uncaught("The stand-in was told to fail.")
        return reply

    def _finish(self, command_id: int, status: CommandStatus, result_status: int, result: bytes) -> Reply:
        with self._store.transaction():
            self._store.run(
                "update command set status = ?, result_status = ?, result = ? where id = ?",
                status,
                result_status,
                result,
                command_id,
            )
        return Reply(result_status, result)

    def _await_approval(self, command_id: int) -> Reply:
        body = wire.encode({"commandId": command_id, "rollbackTransaction": True})
        return self._finish(command_id, CommandStatus.AWAITING_APPROVAL, _OK, body)

    def _forget(self, command_id: int) -> None:
        with self._store.transaction():
            self._store.run("delete from command where id = ?", command_id)
