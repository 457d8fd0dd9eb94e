"""Where a lender's account at a gateway is, and as whom to ask: Airflow connections `turno_<gateway>_<lender>`.

Type http; host: the API's base, such as `https://api.razorpay.com`; login and password: the key's id and secret.
"""

from collections.abc import Callable

from turno_lms.gateways.api import CashfreeApi, GatewayApi, RazorpayApi
from turno_lms.lenders.registry import LenderRegistry

_APIS: dict[str, Callable[[str, str, str], GatewayApi]] = {"razorpay": RazorpayApi, "cashfree": CashfreeApi}


def connection_id(gateway: str, lender: str) -> str:
    """The Airflow connection of an account."""
    return f"turno_{gateway}_{lender}"


def accounts(registry: LenderRegistry) -> list[dict[str, str]]:
    """Every gateway of every lender, as its mapping names them."""
    return [
        {"gateway": gateway, "lender": lender.slug}
        for lender in registry.values()
        for gateway in lender.gateways
    ]


def gateway_api(gateway: str, lender: str) -> GatewayApi | None:
    """A client for the account, or None where it has no connection."""
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        found = BaseHook.get_connection(connection_id(gateway, lender))
    except AirflowNotFoundException:
        return None
    port = f":{found.port}" if found.port else ""
    host = found.host or ""
    base = host if "://" in host else f"{found.schema or 'https'}://{host}"
    return _APIS[gateway](f"{base}{port}", found.login or "", found.password or "")
