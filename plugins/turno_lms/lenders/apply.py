"""What the warehouse needs for the lenders: partitions, and the rows by which dbt and the posting know them.

One deploy step under the owner's role, safe to repeat: a second run changes nothing and says so. Everything is one
transaction. A mapping that is gone leaves its rows and partitions alone: they hold its history.
"""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from turno_lms.domain.names import gateway_table, payment_file_table
from turno_lms.lenders import mapping_versions, queries
from turno_lms.lenders.registry import LenderRegistry
from turno_lms.lenders.schema import FILE_CHANNEL, TOKEN_PATTERN, UMRN_PATTERN, Lender
from turno_lms.warehouse.changes import record_changes
from turno_lms.warehouse.connection import Role, WarehouseConnection

GATEWAYS = ("razorpay", "cashfree")
_LOCK = "select pg_advisory_xact_lock(hashtextextended('turno lenders apply', 0))"


def apply_lenders(conn: WarehouseConnection, registry: LenderRegistry) -> list[str]:
    """Make the warehouse fit the mappings; returns one line per change, none when it fits already."""
    changes: list[str] = []
    with conn.transaction():
        conn.execute(_LOCK)
        attached = {row["name"] for row in conn.execute(queries.ATTACHED)}
        for lender in registry.values():
            missing = [(table, parent) for table, parent in _partitions(lender) if table not in attached]
            for table, parent in missing:
                _create_partition(conn, table, parent, lender.slug)
            changes.extend(f"{lender.slug}: partition raw.{table}" for table, _ in missing)
            changes.extend(f"{lender.slug}: view masked.{view}" for view in _make_views(conn, lender.slug))
            mapping_versions.keep(conn, lender)
            if _apply_rows(conn, lender):
                record_changes(conn, "lender", [lender.slug])
                changes.append(f"{lender.slug}: mapping {lender.mapping_version}")
    return changes


MANUAL_STREAM = {
    "stream": "manual_repayments", "channel": "manual", "is_posting_channel": True, "posting_policy": "at_once",
}  # fmt: skip
"""What every lender has besides its mapping: money that operations enter by hand."""


def _partitions(lender: Lender) -> Iterator[tuple[str, str]]:
    yield payment_file_table(lender.slug), "raw_payment_file"
    for gateway in GATEWAYS:
        yield gateway_table(lender.slug, gateway), f"raw_{gateway}_api"


def _create_partition(conn: WarehouseConnection, table: str, parent: str, slug: str) -> None:
    """Create, then attach: attaching does not block readers and writers of the other lenders' partitions.

    Grants stay on the parent, through which everything reads and writes.
    """
    names = {
        "table": sql.Identifier("raw", table),
        "parent": sql.Identifier("raw", parent),
        "slug": sql.Literal(slug),
    }
    create = "create table {table} (like {parent} including defaults including constraints)"
    conn.execute(sql.SQL(create).format(**names))
    conn.execute(
        sql.SQL("alter table {parent} attach partition {table} for values in ({slug})").format(**names)
    )


def _make_views(conn: WarehouseConnection, slug: str) -> Iterator[str]:
    """Make the lender's masked views, anew where this release defines them otherwise; yields the names of those."""
    for subject, query in queries.MASKED_VIEWS.items():
        name = f"{slug}_{subject}"
        view = sql.Identifier("masked", name)
        definition = hashlib.sha256(query.encode()).hexdigest()
        known = conn.execute(queries.DESCRIBED, (f"masked.{name}",)).fetchone()
        if known and known["definition"] == definition:
            continue
        conn.execute(sql.SQL("drop view if exists {}").format(view))
        body = sql.SQL(query).format(lender=sql.Literal(slug))
        conn.execute(sql.SQL("create view {} as {}").format(view, body))
        conn.execute(sql.SQL("comment on view {} is {}").format(view, sql.Literal(definition)))
        readers = sql.SQL(", ").join(map(sql.Identifier, (Role.FINANCE, Role.CONSOLE)))
        conn.execute(sql.SQL("grant select on {} to {}").format(view, readers))
        yield name


def _apply_rows(conn: WarehouseConnection, lender: Lender) -> bool:
    """Replace the lender's rows if its mapping differs from the one applied; tells whether it did."""
    values = {
        "lender": lender.slug,
        "name": lender.name,
        "product_id": lender.fineract.product_id,
        "payment_type_id": lender.fineract.payment_type_id,
        "post_from": lender.post_from,
        "mapping_version": lender.mapping_version,
    }
    if not conn.execute(queries.UPSERT_LENDER, values).rowcount:
        return False
    for delete in queries.DELETE_OF_LENDER.values():
        conn.execute(delete, (lender.slug,))
    for table, row in _detail_rows(lender):
        conn.execute(queries.INSERT[table], {"lender": lender.slug, **row})
    return True


def _detail_rows(lender: Lender) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, stream in lender.streams.items():
        for channel in stream.channels:
            posts = channel == stream.posts
            row = {
                "stream": name,
                "channel": channel,
                "is_posting_channel": posts,
                "posting_policy": stream.policy,
            }
            yield "core_lender_stream", row
    yield "core_lender_stream", MANUAL_STREAM
    for kind, spec in lender.files.items():
        stream_name = lender.stream_of(f"{FILE_CHANNEL}{kind}")
        references = {"payment_id_is": spec.payment_id_is, "sub_reference_id_is": spec.sub_reference_id_is}
        yield "core_lender_file_kind", {"kind": kind, "stream": stream_name, **references}
    for gateway, rules in lender.gateways.items():
        for precedence, rule in enumerate(rules.loan_from, start=1):
            pattern = {"umrn": UMRN_PATTERN, "token": TOKEN_PATTERN}.get(
                rule.resolves, lender.loan_id_pattern
            )
            fields = rule.model_dump()
            yield (
                "core_lender_webhook_rule",
                {"gateway": gateway, "precedence": precedence, "loan_id_pattern": pattern, **fields},
            )
    yield from _recon_rows(lender)


def _recon_rows(lender: Lender) -> Iterator[tuple[str, dict[str, Any]]]:
    rules = lender.reconciliation
    row = {
        "date_tolerance_days": rules.date_tolerance_days,
        "amount_tolerance": Decimal(rules.amount_tolerance_rupees),
        "expected_days": rules.expected_days,
        "sla": Jsonb([step.model_dump() for step in rules.sla]),
    }
    yield "core_lender_recon_rule", row
    for gateway, card in rules.rate_cards.items():
        for method, rate in card.methods.items():
            charged = {"percent": Decimal(rate.percent), "flat": Decimal(rate.flat_rupees)}
            gst = Decimal(card.gst_percent)
            yield (
                "core_lender_rate_card",
                {"gateway": gateway, "method": method, "gst_percent": gst, **charged},
            )
