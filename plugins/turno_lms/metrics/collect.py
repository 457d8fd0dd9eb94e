"""The figures, asked of the warehouse now, in the Prometheus text format."""

import time
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from turno_lms.metrics.families import SCRAPE_SECONDS, SOURCES, Family, Source
from turno_lms.warehouse.connection import Row, WarehouseConnection, is_built

_LIMIT = "set local statement_timeout = '20s'"
"""A look at the figures must never be what the warehouse is busy with."""

Metric = CounterMetricFamily | GaugeMetricFamily


class Figures(Collector):
    """All families of SOURCES. A family whose tables dbt has not made yet is there, without series."""

    def __init__(self, conn: WarehouseConnection) -> None:
        self._conn = conn

    def collect(self) -> Iterator[Metric]:
        """Ask every query once, all of them about one moment."""
        started = time.monotonic()
        self._conn.execute("set transaction isolation level repeatable read read only")
        self._conn.execute(_LIMIT)
        for source in SOURCES:
            yield from _metrics(source, self._rows(source))
        self._conn.rollback()
        took = GaugeMetricFamily(SCRAPE_SECONDS.name, SCRAPE_SECONDS.help)
        took.add_metric([], time.monotonic() - started)
        yield took

    def _rows(self, source: Source) -> list[Row]:
        if source.needs and not is_built(self._conn, *source.needs):
            return []
        return self._conn.execute(source.sql).fetchall()


def exposition(conn: WarehouseConnection) -> str:
    """What a scrape gets. `conn` must not be in a transaction; nothing is written."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(conn))
    return generate_latest(registry).decode()


def _metrics(source: Source, rows: list[Row]) -> Iterator[Metric]:
    for column, family in source.columns.items():
        metric = _metric(family, source.labels)
        for row in rows:
            metric.add_metric([str(row[label]) for label in source.labels], row[column])
        yield metric


def _metric(family: Family, labels: tuple[str, ...]) -> Metric:
    kind = CounterMetricFamily if family.is_counter else GaugeMetricFamily
    return kind(family.name, family.help, labels=labels)
