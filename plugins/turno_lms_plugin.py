"""The only file that Airflow loads as a plugin: the operators' console, under Airflow's own address and login."""

from airflow.plugins_manager import AirflowPlugin

from turno_lms.console.plugin import LazyConsole, views

PREFIX = "/turno"


class TurnoLmsPlugin(AirflowPlugin):
    """Mounts the console and puts it into Airflow's menu and onto its pages of DAGs and runs."""

    name = "turno_lms"
    fastapi_apps = [{"app": LazyConsole(), "url_prefix": PREFIX, "name": "Turno LMS console"}]  # noqa: RUF012 (Airflow's form)
    external_views = views(PREFIX)
