"""All that is known of one loan: Fineract's view of it, its operations, its payments, who holds it."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from turno_lms.domain.keys import canonical_loan_id
from turno_lms.fineract.audit import masked
from turno_lms.fineract.client import FineractClient
from turno_lms.fineract.snapshots import loan_addresses
from turno_lms.los import decisions
from turno_lms.warehouse.connection import WarehouseConnection, is_built

ASSOCIATIONS = ("repaymentSchedule", "transactions", "charges", "collection", "notes")
_QUERIES = {
    "lease": """
select holder, fence, expires_at from core.core_loan_lease where loan_id = %s and expires_at > clock_timestamp()
""",
    "queue": """
select posting_key, business_date, amount, state, tries, last_error from core.core_fineract_pending_transactions
where loan_id = %s order by business_date
""",
    "posted": """
select posting_key, outcome, business_date, amount, fineract_transaction_id, error_code, processed_at
from core.core_transaction_data_processed where loan_id = %s order by business_date, processed_at
""",
    "exceptions": """
select kind, subject, amount, detail, opened_at from core.core_recon_exception
where loan_id = %s and state = 'open' order by opened_at
""",
    "last_calls": """
select called_at, purpose, method, path, status_code, outcome, dag_id, dag_run_id from raw.raw_fineract_api_log
where path like '/loans/external-id/' || %s || '%%' and method <> 'GET' order by call_id desc limit 10
""",
}
_MASTER = "select * from core.core_loan_master where loan_id = %s"
_OPERATION = (
    "operation", "caller", "reference", "submitted_at", "state", "reason", "message", "detail", "result", "tries",
    "is_recognised", "waiting_since", "ended_at", "decided_by", "decision_reason",
)  # fmt: skip


def loan_state(conn: WarehouseConnection, client: FineractClient, loan_id: str) -> dict[str, Any]:
    """Plain data, dates and rupees as text, personal data masked. A loan that nobody knows has empty parts."""
    canonical = canonical_loan_id(loan_id)
    address = loan_addresses(conn, [canonical])[canonical]
    state: dict[str, Any] = {"loan_id": canonical}
    state["fineract"] = masked(client.find_loan(address.external_id, ASSOCIATIONS))
    if is_built(conn, "core.core_loan_master"):
        state["loan_master"] = conn.execute(_MASTER, (canonical,)).fetchone()
    found = decisions.rows(conn, loan_id=canonical)
    state["operations"] = [{name: row[name] for name in _OPERATION} for row in found]
    for name, query in _QUERIES.items():
        state[name] = conn.execute(query, (canonical,)).fetchall()
    plain: dict[str, Any] = _plain(state)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date | datetime) else value
