"""One holder per loan, and a late one is kept out by its fence."""

import time

import pytest

from turno_lms.fineract.leases import Lease, LeaseLostError, acquire, check, release, renew
from turno_lms.warehouse.connection import WarehouseConnection, connect


@pytest.fixture
def autocommit(warehouse_url: str):  # type: ignore[no-untyped-def]
    with connect(warehouse_url, autocommit=True) as conn:
        yield conn


def test_a_held_loan_is_left_out_and_others_are_taken(autocommit: WarehouseConnection) -> None:
    assert acquire(autocommit, ["A"], "first", 60) == [Lease("A", 1)]
    assert acquire(autocommit, ["B", "A", "B"], "second", 60) == [Lease("B", 1)]


def test_a_released_loan_is_free_at_once_and_the_fence_rises(autocommit: WarehouseConnection) -> None:
    [lease] = acquire(autocommit, ["A"], "first", 60)
    release(autocommit, lease)
    assert acquire(autocommit, ["A"], "second", 60) == [Lease("A", 2)]


def test_a_lease_that_ran_out_can_be_taken_and_its_former_holder_is_refused(
    autocommit: WarehouseConnection,
) -> None:
    [old] = acquire(autocommit, ["A"], "slow", 0.05)
    time.sleep(0.1)
    [new] = acquire(autocommit, ["A"], "next", 60)
    with pytest.raises(LeaseLostError, match="loan A under fence 1"):
        check(autocommit, old)
    with pytest.raises(LeaseLostError):
        renew(autocommit, old, 60)
    release(autocommit, old)
    check(autocommit, new)


def test_a_lease_that_ran_out_still_counts_while_no_one_took_it(autocommit: WarehouseConnection) -> None:
    [lease] = acquire(autocommit, ["A"], "slow", 0.01)
    time.sleep(0.05)
    check(autocommit, lease)
    renew(autocommit, lease, 60)
    assert acquire(autocommit, ["A"], "next", 60) == []


def test_nobody_can_take_a_loan_while_its_holder_stores_an_outcome(
    warehouse_url: str, autocommit: WarehouseConnection
) -> None:
    [lease] = acquire(autocommit, ["A"], "slow", 0.01)
    time.sleep(0.05)
    with connect(warehouse_url) as storing:
        check(storing, lease)
        assert acquire(autocommit, ["A"], "next", 60) == []  # answered at once, not after a wait
        storing.commit()
    assert acquire(autocommit, ["A"], "next", 60) == [Lease("A", 2)]
