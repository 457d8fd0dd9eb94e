"""What a command is: the names the idempotency store knows it by, and the code that carries it out."""

from collections.abc import Callable
from dataclasses import dataclass

from local_stack.fineract.body import Body
from local_stack.fineract.store import Store

Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class Target:
    """What the path of a request points at. Numeric ids are not looked up before the command runs."""

    loan_id: int | None = None
    resource_id: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """A command. `/standin/rules` select by `name`; `run` makes the change and returns the answer.

    `needs_body` is false for the few commands that an empty body is enough for.
    """

    name: str
    action: str
    entity: str
    run: Callable[[Store, Target, Body], Answer]
    needs_body: bool = True


def result(**fields: object) -> Answer:
    """A command's answer; what is None is left out, as Fineract does."""
    return {name: value for name, value in fields.items() if value is not None}
