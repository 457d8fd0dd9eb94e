"""The passwords of protected files: from Airflow connections, whose ids the mappings name."""


def connection_password(connection_id: str) -> str:
    """The password of an Airflow connection.

    Raises AirflowNotFoundException if there is no such connection, LookupError if it has no password: the file waits
    until somebody has set it.
    """
    from airflow.sdk import BaseHook  # a second of imports, paid only for files that have a password

    password: str | None = BaseHook.get_connection(connection_id).password
    if not password:
        raise LookupError(
            f"the Airflow connection {connection_id} has no password: set the file's password there"
        )
    return password
