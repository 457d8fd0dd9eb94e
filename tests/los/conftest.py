"""What the tests of operations share: a warehouse, a stand-in of Fineract, and a lender whose loans they are."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fineract.loan_book import standin_client
from tests.los.fineract_book import PRODUCT, LosBook, lenders_with
from turno_lms.warehouse.connection import Role, connect


@pytest.fixture
def make_book(
    warehouse_url: str, warehouse_role_url: Callable[[str], str], fineract_url: str
) -> Iterator[Callable[..., LosBook]]:
    """Makes a book with these rules of the lender."""
    with connect(warehouse_url, autocommit=True) as conn:

        def make(product: dict[str, Any] | None = None, **los: Any) -> LosBook:
            product_id = standin_client(fineract_url).create_loan_product({**PRODUCT, **(product or {})})
            return LosBook(
                fineract_url, warehouse_role_url(Role.POSTER), conn, lenders_with(product_id, **los)
            )

        yield make


@pytest.fixture
def book(make_book: Callable[..., LosBook]) -> LosBook:
    """A book without rules of its own."""
    return make_book()
