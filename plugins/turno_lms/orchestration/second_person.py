"""The question to a second person, as every DAG that waits for one asks it: the task `approve`, under Required Actions.

It is a HITLOperator with two options, Reject by default when the time is up. An ApprovalOperator would skip its
followers when it is rejected, and so drop who rejected. The answer is stored as data by the task that follows; whoever
acts on it reads that, and never Airflow's task states.
"""

from collections.abc import Callable
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import XComArg, task

from turno_lms.orchestration import answers
from turno_lms.orchestration.defaults import APPROVAL_WAIT


def ask_second_person(asked: XComArg, subject: str, shown: str = "preview") -> HITLOperator:
    """The task that asks, about what the task `asked` returned: {names} in the subject are of its keys, and the key
    `shown` holds the text beneath. The caller wires it.
    """
    returned = f"ti.xcom_pull('{asked.operator.task_id}')"  # type: ignore[attr-defined]  # of a single task

    class Templates(dict[str, str]):
        def __missing__(self, name: str) -> str:
            return f"{{{{ {returned}['{name}'] }}}}"

    return HITLOperator(
        task_id="approve",
        subject=subject.format_map(Templates()),
        body=Templates()[shown],
        options=[answers.APPROVE, answers.REJECT],
        defaults=[answers.REJECT],
        response_timeout=APPROVAL_WAIT,
        execution_timeout=None,
    )


def decided_by_second_person(asked: XComArg, subject: str, record: Callable[[Any, Any], object]) -> Any:
    """Ask a second person about what the task `asked` returned, and have `record` (given that and the answer) store who
    answered, and what. Returns the last of these tasks: what acts on the approval comes after it.
    """
    approve = ask_second_person(asked, subject)

    @task
    def record_decision(asked: dict[str, Any], answer: Any) -> Any:
        """Store who answered, and what; nobody's answer is none."""
        return record(asked, answer)

    asked >> approve
    return record_decision(asked, approve.output)  # type: ignore[arg-type]  # Airflow puts the values in
