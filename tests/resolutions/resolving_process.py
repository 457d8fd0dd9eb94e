"""Advances one settlement, or takes it back, in a process of its own that is told where to die. Bugs can be planted."""

import os
import signal
from dataclasses import replace
from datetime import date
from typing import Any

from tests.fineract.loan_book import standin_client
from tests.posting.conftest import QUICK
from turno_lms.domain.runs import RunContext
from turno_lms.fineract import loan_commands
from turno_lms.fineract.client import Timeouts
from turno_lms.orchestration.desk import LedgerDesk
from turno_lms.posting.worker import Poster
from turno_lms.resolutions import settlements, steps, undoing
from turno_lms.resolutions.steps import Patience, Walk
from turno_lms.warehouse.connection import connect

RUN = RunContext("advance_resolutions", "the same run", "advance")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at(moment: str, name: str) -> None:
    """Die `before` or `after` a command is sent, or before it is `recorded` (its answer is there, the mark is not)."""
    send, mark, take_back = loan_commands.send, steps._mark, steps._take_money_back

    def send_or_die(client: Any, command: Any, key: str) -> Any:
        if moment == "before" and command.purpose == name:
            die()
        answer = send(client, command, key)
        if moment == "after" and command.purpose == name:
            die()
        return answer

    def mark_or_die(walk: Walk, row: Any, lease: Any, new: Any, **more: Any) -> Any:
        if moment == "recorded" and f"{row['kind']} {new}" == name:
            die()
        return mark(walk, row, lease, new, **more)

    def take_back_or_die(walk: Walk, row: Any, reason: str) -> Any:
        progress = take_back(walk, row, reason)
        if moment == "after" and name == "take_money_back":
            die()
        return progress

    loan_commands.send = send_or_die
    steps._mark = mark_or_die
    steps._take_money_back = take_back_or_die


def plant_new_external_id_per_try() -> None:
    """What was sent is looked for, and sent again, under another external id."""
    mark = steps._mark

    def mark_anew(walk: Walk, row: Any, lease: Any, new: Any, **more: Any) -> Any:
        moved = mark(walk, row, lease, new, **more)
        if new == "sent":
            walk.conn.execute(
                "update core.core_resolution_step set external_id = external_id || 'x'"
                " where resolution_ref = %s and position = %s",
                (row["resolution_ref"], row["position"]),
            )
        return moved

    steps._mark = mark_anew


def plant_lost_answer_taken_for_done() -> None:
    """A step whose answer was lost counts as done without a look."""
    done = steps._done

    def believe(walk: Walk, row: Any, lease: Any, _command: Any, answer: Any) -> Any:
        return done(walk, row, lease, replace(answer, body={"id": 1}))

    steps._judge = believe


def plant_nothing_compensated() -> None:
    """A definitive failure ends as compensated with nothing taken back."""
    steps._UNDOABLE = frozenset()


BUGS = {
    "new_external_id_per_try": plant_new_external_id_per_try,
    "lost_answer_taken_for_done": plant_lost_answer_taken_for_done,
    "nothing_compensated": plant_nothing_compensated,
}


def resolve(
    warehouse: str,
    fineract: str,
    ref: str,
    today: date,
    die_at_moment: str | None,
    bug: str | None,
    take_back: bool,
) -> None:
    """Advance one settlement as far as it goes, or take it back, unless death comes first."""
    if bug:
        BUGS[bug]()
    if die_at_moment:
        die_at(*die_at_moment.split(":", 1))
    client = standin_client(fineract, timeouts=Timeouts(2, 2))
    poster = Poster(
        lambda: connect(warehouse, autocommit=True),
        lambda audit: standin_client(fineract, audit),
        RUN,
        QUICK,
    )
    with connect(warehouse, autocommit=True) as conn:
        desk = LedgerDesk(conn, client, RUN, lambda loan_id: poster.post([loan_id]))
        walk = Walk(conn, client, RUN, desk, Patience(settling=0, most_tries=5))
        if take_back:
            undoing.undo(walk, ref)
        else:
            settlements.advance(walk, ref, today)
