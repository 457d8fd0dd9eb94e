"""Every figure that is exported: its name, what it counts, and the query whose column it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_SQL = Path(__file__).with_name("sql")


@dataclass(frozen=True)
class Family:
    """One metric. Counters only grow and are named `..._total`; rupees are rupees, times are seconds."""

    name: str
    help: str

    @property
    def is_counter(self) -> bool:
        """Whether it only grows."""
        return self.name.endswith("_total")


@dataclass(frozen=True)
class Source:
    """One query. `columns` maps a column of its result to the metric it is; the others are labels, all of them text.

    `needs` are tables that dbt makes: before its first run there is nothing to ask.
    """

    file: str
    labels: tuple[str, ...]
    columns: Mapping[str, Family]
    needs: tuple[str, ...] = ()

    @property
    def sql(self) -> str:
        """The query."""
        return (_SQL / f"{self.file}.sql").read_text(encoding="utf-8")


_TRANSACTIONS = ("core.core_transaction_data",)
_EVENTS = ("base.base_razorpay_event", "base.base_cashfree_event")

SOURCES = (
    Source("files", ("lender", "disposition"), {
        "rows_total": Family("turno_file_rows_total", "Rows of loaded files, by what became of each."),
        "rupees_total": Family("turno_file_rupees_total", "Rupees of those rows, as far as they could be read."),
    }),
    Source("file_states", ("lender", "state"), {
        "files": Family("turno_files", "Lender files, by state in the processing log."),
    }),
    Source("rejected_rows", ("lender",), {
        "rows_open": Family("turno_rejected_rows_open", "Rejected rows that nobody has replayed or discarded."),
        "rupees_open": Family("turno_rejected_rupees_open", "Rupees of those rows, as far as they could be read."),
    }),
    Source("unposted", ("lender",), {
        "payments": Family("turno_unposted_payments", "Payments and corrections due that have no outcome yet."),
        "rupees": Family("turno_unposted_rupees", "Rupees of those payments."),
        "oldest_seconds": Family("turno_unposted_oldest_seconds", "Age of the oldest of them since first sight."),
    }, _TRANSACTIONS),
    Source("held", ("lender", "block"), {
        "payments": Family("turno_held_payments", "Payments held back, by what holds them."),
        "rupees": Family("turno_held_rupees", "Rupees of those payments."),
    }, _TRANSACTIONS),
    Source("queue", ("lender", "state"), {
        "payments": Family("turno_queue_payments", "Calls in the posting queue, by state."),
        "rupees": Family("turno_queue_rupees", "Rupees of those calls."),
        "oldest_seconds": Family("turno_queue_oldest_seconds", "Age of the oldest of them, since it was queued."),
    }),
    Source("posted", ("lender", "outcome"), {
        "payments_total": Family("turno_postings_total", "Postings that ended, by outcome."),
        "rupees_total": Family("turno_posting_rupees_total", "Rupees of those postings."),
    }),
    Source("switches", ("lender", "channel", "state"), {
        "closed": Family("turno_posting_switch_closed", "1 where posting is draining or stopped."),
    }),
    Source("exceptions", ("lender", "kind"), {
        "open_now": Family("turno_exceptions_open", "Open exceptions, by kind."),
        "rupees": Family("turno_exception_rupees_open", "Rupees of the open exceptions."),
        "oldest_seconds": Family("turno_exception_oldest_seconds", "Age of the oldest open exception of the kind."),
        "past_deadline": Family("turno_exceptions_past_deadline", "Open exceptions that are past their deadline."),
    }),
    Source("proof", (), {
        "last_at": Family("turno_proof_last_timestamp_seconds", "When a loan was last proved against Fineract."),
        "loans": Family("turno_proof_loans", "Loans that have been proved at least once."),
    }),
    Source("fineract_calls", ("method", "outcome"), {
        "calls": Family("turno_fineract_recent_calls", "Calls to Fineract in the last 15 minutes, by how they ended."),
    }),
    Source("fineract_seconds", ("method", "quantile"), {
        "seconds": Family("turno_fineract_recent_seconds", "Time Fineract took in the last 15 minutes."),
    }),
    Source("webhooks", ("gateway", "lender"), {
        "lag_seconds": Family("turno_webhook_lag_seconds", "Age of the oldest webhook not yet built; 0 without."),
        "last_at": Family("turno_webhook_last_timestamp_seconds", "When the last webhook of the account was stored."),
    }, _EVENTS),
    Source("sweeps", ("gateway", "lender"), {
        "missed": Family("turno_webhooks_missed", "Payments of the last day whose webhook never came."),
    }),
    Source("dead_letters", ("gateway", "lender"), {
        "letters": Family("turno_webhook_dead_letters_open", "Webhooks that could not be read and wait for somebody."),
    }),
    Source("los", ("operation", "state"), {
        "operations": Family("turno_los_operations_open", "Operations of the origination system that have not ended."),
    }),
)  # fmt: skip

SCRAPE_SECONDS = Family("turno_scrape_seconds", "Time it took to ask the warehouse for these figures.")
