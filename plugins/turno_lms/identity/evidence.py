"""The count check before the asset that starts posting: evidence from the tables, not from the colour of a task."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from turno_lms.identity.statements import STATEMENTS
from turno_lms.warehouse.connection import WarehouseConnection

PATIENCE = timedelta(hours=6)
"""After which an accepted row must have been read: longer than a load or a build is allowed to take."""


@dataclass(frozen=True)
class EvidenceReport:
    """Counts over what the last two builds touched; the last four are zero when the money path is whole."""

    rows_accepted: int
    sightings_resolved: int
    posting_keys: int
    rows_not_sighted: int
    sightings_without_identity: int
    keys_without_transaction: int
    transactions_without_key: int

    def to_dict(self) -> dict[str, int]:
        """As JSON for a log or an XCom."""
        return asdict(self)

    @property
    def faults(self) -> list[str]:
        """One sentence for each count that should be zero and is not."""
        sentences = {
            "accepted rows of files are not in core_payment_sighting": self.rows_not_sighted,
            "resolved sightings have no posting key": self.sightings_without_identity,
            "posting keys are not in core_transaction_data": self.keys_without_transaction,
            "rows of core_transaction_data have no posting key of their own": self.transactions_without_key,
        }
        return [f"{count} {sentence}" for sentence, count in sentences.items() if count]


class MoneyPathError(RuntimeError):
    """Something was lost between landing and core_transaction_data; nothing may be posted from it."""


def check_money_path(conn: WarehouseConnection) -> EvidenceReport:
    """Compare accepted rows with sightings, sightings with identities, and posting keys with core_transaction_data.

    Raises MoneyPathError naming each difference. What the build says it has read must be there; rows loaded and
    decisions made since are the next build's.
    """
    scope = conn.execute(STATEMENTS["evidence_scope"]).fetchone()
    counts = conn.execute(STATEMENTS["evidence"], {**(scope or {}), "patience": PATIENCE}).fetchone()
    report = EvidenceReport(**(counts or {}))
    if report.faults:
        raise MoneyPathError(
            f"{'; '.join(report.faults)}. Run build_warehouse again; if it says the same, run "
            "`dbt build --full-refresh` with the DAG paused: landing and state hold everything."
        )
    return report
