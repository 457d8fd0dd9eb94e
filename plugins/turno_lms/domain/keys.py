"""The keys of a payment, in one place. The dbt macros in include/dbt/macros/keys.sql are the twin; both are
held to tests/vectors/keys.json.

Text is canonical before it is hashed: lender slug in lower case, loan id trimmed upper case, IST business date
`YYYY-MM-DD`, rupees with exactly two decimals.
"""

import hashlib
from datetime import date
from decimal import Decimal

from turno_lms.domain.money import canonical_amount


def canonical_loan_id(text: str) -> str:
    """A loan id as it stands in keys and in Fineract's externalId."""
    return text.strip().upper()


def canonical_lender(text: str) -> str:
    """A lender's slug as it stands in keys."""
    return text.strip().lower()


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def recon_match_key(loan_id: str, business_date: date, amount: Decimal | int | str) -> str:
    """md5(loan_id + date + amount): pairs records across sources as a multiset; alone it identifies nothing."""
    return _md5(f"{canonical_loan_id(loan_id)}{business_date:%Y-%m-%d}{canonical_amount(amount)}")


def source_key(lender: str, loan_id: str, business_date: date, amount: Decimal | int | str) -> str:
    """md5(lender + loan_id + date + amount): the payment's signature before occurrences are told apart."""
    text = f"{canonical_lender(lender)}{canonical_loan_id(loan_id)}{business_date:%Y-%m-%d}{canonical_amount(amount)}"
    return _md5(text)


def posting_key(source: str, occurrence: int = 1, correction: int = 0) -> str:
    """The identity that Fineract sees as externalId: `source_key[-oN][-rM]`.

    N counts several real payments under one source key (the first has no suffix), M the corrections after a
    reversal. Raises ValueError below the counts' first values.
    """
    if occurrence < 1 or correction < 0:
        raise ValueError(f"occurrence {occurrence} and correction {correction} must be at least 1 and 0")
    occurrence_suffix = f"-o{occurrence}" if occurrence > 1 else ""
    correction_suffix = f"-r{correction}" if correction else ""
    return f"{source}{occurrence_suffix}{correction_suffix}"


MAX_IDEMPOTENCY_KEY = 50
"""Fineract's column; a longer key fails with a misleading 403."""


def idempotency_key(key: str, attempt: int) -> str:
    """The Idempotency-Key header of one attempt; `attempt` rises only after a recorded definitive failure."""
    header = f"{key}-a{attempt}"
    if attempt < 1 or len(header) > MAX_IDEMPOTENCY_KEY:
        raise ValueError(
            f"{header!r} is no Idempotency-Key: attempts start at 1 and {MAX_IDEMPOTENCY_KEY} characters is the limit"
        )
    return header


def los_key(operation: str, caller: str, reference: str) -> str:
    """md5 of an operation, its caller and the caller's reference: one submission, however often it is sent."""
    return _md5(f"{operation}|{caller}|{reference}")
