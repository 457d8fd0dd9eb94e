"""Who did it: the DAG run (or person at a command line) behind every state change."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RunContext:
    """Written beside every decision, so that each figure can name the run that made it."""

    dag_id: str
    run_id: str
    task_id: str = ""
    map_index: int = -1
    actor: str = "airflow"

    @property
    def label(self) -> str:
        """One string for a log or an audit column."""
        return f"{self.dag_id}/{self.run_id}"
