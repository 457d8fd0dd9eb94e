"""Lenders applied to a fresh warehouse, and the connection with which loads really run (role turno_ingestion)."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local_stack.environment import warehouse_connections
from tests.ingestion.files import BUCKET, Loads
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import LenderRegistry, load_lenders
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect


@pytest.fixture(scope="session")
def lenders() -> LenderRegistry:
    """The three shipped lenders whose files the tests build; the others have their golden samples."""
    shipped = load_lenders()
    return {slug: shipped[slug] for slug in ("gb", "ugro", "axle")}


@pytest.fixture
def app(
    warehouse: WarehouseConnection, warehouse_role_url: Callable[[str], str], lenders: LenderRegistry
) -> Iterator[WarehouseConnection]:
    """A connection as turno_ingestion to a warehouse that knows the lenders."""
    apply_lenders(warehouse, lenders)
    warehouse.commit()
    with connect(warehouse_role_url(Role.INGESTION)) as conn:
        yield conn


@pytest.fixture
def terminal(
    warehouse_url: str,
    warehouse_role_url: Callable[[str], str],
    s3: Any,
    s3_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Connections as an operator's terminal has them, to the test's warehouse and bucket."""
    extra = {"endpoint_url": s3_url, "region_name": "ap-south-1"}
    connection = {"conn_type": "aws", "login": "test-key", "password": "test-secret", "extra": extra}
    # Airflow's own log lines go to the terminal the runner takes away after each command
    monkeypatch.setattr(logging, "raiseExceptions", False)
    addresses = warehouse_connections(
        lambda role: warehouse_url if role is Role.OWNER else warehouse_role_url(role)
    )
    for name, value in addresses.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AIRFLOW_CONN_TURNO_S3", json.dumps(connection))


@pytest.fixture
def loads(app: WarehouseConnection, s3: Any, lenders: LenderRegistry) -> Loads:
    """Puts files in S3 and loads them."""
    return Loads(app, s3, lenders, BUCKET)
