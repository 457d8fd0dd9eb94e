"""Addresses of loans and their transactions, and the formats in which every body speaks of dates and numbers."""

from typing import Any
from urllib.parse import quote

FORMATS: dict[str, Any] = {"dateFormat": "yyyy-MM-dd", "locale": "en"}


def loan_path(external_id: str) -> str:
    """The path of a loan by external id, safe for any text."""
    return f"/loans/external-id/{quote(external_id, safe='')}"


def transaction_path(loan_external_id: str, external_id: str) -> str:
    """The path of a loan's transaction by external id."""
    return f"{loan_path(loan_external_id)}/transactions/external-id/{quote(external_id, safe='')}"
