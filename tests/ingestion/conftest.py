"""Lenders applied to a fresh warehouse, and the connection with which loads really run (role turno_app)."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.ingestion.files import BUCKET, Loads
from turno_lms.lenders.apply import apply_lenders
from turno_lms.lenders.registry import LenderRegistry, load_lenders
from turno_lms.warehouse.connection import WarehouseConnection, connect


@pytest.fixture(scope="session")
def lenders() -> LenderRegistry:
    """The three shipped lenders whose files the tests build; the others have their golden samples."""
    shipped = load_lenders()
    return {slug: shipped[slug] for slug in ("gb", "ugro", "axle")}


@pytest.fixture
def app(
    warehouse: WarehouseConnection, warehouse_role_url: Callable[[str], str], lenders: LenderRegistry
) -> Iterator[WarehouseConnection]:
    """A connection as turno_app to a warehouse that knows the lenders."""
    apply_lenders(warehouse, lenders)
    warehouse.commit()
    with connect(warehouse_role_url("turno_app")) as conn:
        yield conn


@pytest.fixture
def loads(app: WarehouseConnection, s3: Any, lenders: LenderRegistry) -> Loads:
    """Puts files in S3 and loads them."""
    return Loads(app, s3, lenders, BUCKET)
