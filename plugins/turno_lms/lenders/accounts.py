"""Where a lender's account at a gateway is, and as whom to ask: Airflow connections `turno_<gateway>_<lender>`.

Type http; host: the API's base, such as `https://api.razorpay.com`; login and password: the key's id and secret.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Account:
    """The address of an account and its key."""

    base_url: str
    login: str
    secret: str = field(repr=False)


def connection_id(gateway: str, lender: str) -> str:
    """The Airflow connection of an account."""
    return f"turno_{gateway}_{lender}"


def find_account(gateway: str, lender: str) -> Account | None:
    """The account, or None where it has no connection."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = BaseHook.get_connection(connection_id(gateway, lender))
    except AirflowNotFoundException:
        return None
    port = f":{found.port}" if found.port else ""
    host = found.host or ""
    base = host if "://" in host else f"{found.schema or 'https'}://{host}"
    return Account(f"{base}{port}", found.login or "", found.password or "")
