"""What people answer under Required Actions, as the DAGs that wait for a second person (`second_person`) read it."""

from dataclasses import dataclass
from typing import Any

APPROVE, REJECT = "Approve", "Reject"


@dataclass(frozen=True)
class Answer:
    """Who answered, and what. Nobody (`person` empty) answered a question whose time was up."""

    person: str
    approved: bool


def read_answer(returned: Any) -> Answer:
    """The answer in what the question's task returned; nothing, as of a task marked as success, is nobody's."""
    given = returned or {}
    responder = given.get("responded_by_user") or {}
    person = str(responder.get("name") or responder.get("id") or "").strip()
    return Answer(person, given.get("chosen_options") == [APPROVE])
