"""Clients for the accounts that the lenders' mappings name; `lenders.accounts` says where each one is."""

from collections.abc import Callable

from turno_lms.gateways.api import CashfreeApi, GatewayApi, RazorpayApi
from turno_lms.lenders.accounts import find_account
from turno_lms.lenders.registry import LenderRegistry

_APIS: dict[str, Callable[[str, str, str], GatewayApi]] = {"razorpay": RazorpayApi, "cashfree": CashfreeApi}


def accounts(registry: LenderRegistry) -> list[dict[str, str]]:
    """Every gateway of every lender, as its mapping names them."""
    return [
        {"gateway": gateway, "lender": lender.slug}
        for lender in registry.values()
        for gateway in lender.gateways
    ]


def gateway_api(gateway: str, lender: str) -> GatewayApi | None:
    """A client for the account, or None where it has no connection."""
    account = find_account(gateway, lender)
    return _APIS[gateway](account.base_url, account.login, account.secret) if account else None
