"""The only file that Airflow loads as a plugin: the operators' console behind its login, and our metrics."""

from airflow.plugins_manager import AirflowPlugin

from turno_lms.console.plugin import LazyConsole, views
from turno_lms.metrics.app import MetricsApp

PREFIX = "/turno"


class TurnoLmsPlugin(AirflowPlugin):
    """Mounts the console and puts it into Airflow's menu and onto its pages of DAGs and runs."""

    name = "turno_lms"
    fastapi_apps = [  # noqa: RUF012 (Airflow's form)
        {"app": LazyConsole(), "url_prefix": PREFIX, "name": "Turno LMS console"},
        {"app": MetricsApp(), "url_prefix": "/turno-metrics", "name": "Turno LMS metrics"},
    ]
    external_views = views(PREFIX)
