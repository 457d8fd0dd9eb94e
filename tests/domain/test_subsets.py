"""The search for the only parts of a group that agree: never a guess, never a matter of order."""

from itertools import chain, combinations

from hypothesis import given
from hypothesis import strategies as st

from turno_lms.domain.subsets import MOST_RECORDS, Split, unique_splits

PAISE = st.integers(min_value=1, max_value=12)
SIDES = st.tuples(st.lists(PAISE, max_size=5), st.lists(PAISE, max_size=5))


def named(side: str, amounts: list[int]) -> dict[str, int]:
    return {f"{side}{number}": paise for number, paise in enumerate(amounts)}


def every_split(files: dict[str, int], gateways: dict[str, int]) -> set[Split]:
    """Worked out the long way: every pair of subsets with one record on a side."""

    def subsets(side: dict[str, int]) -> list[tuple[str, ...]]:
        return list(chain.from_iterable(combinations(sorted(side), size) for size in range(1, len(side) + 1)))

    return {
        Split(left, right)
        for left in subsets(files)
        for right in subsets(gateways)
        if 1 in (len(left), len(right))
        and sum(files[name] for name in left) == sum(gateways[name] for name in right)
    }


def test_one_row_that_covers_two_payments_is_found() -> None:
    """300.00 = 100.00 + 200.00; nothing else adds up."""
    found = unique_splits({"f": 30000, "other": 1}, {"a": 10000, "b": 20000, "c": 55500})
    assert found == [Split(("f",), ("a", "b"))]


def test_two_payments_that_would_do_as_well_are_no_answer() -> None:
    assert unique_splits({"f": 10000}, {"a": 10000, "b": 10000}) == []
    assert unique_splits({"f": 300}, {"a": 100, "b": 200, "c": 150, "d": 150}) == []


def test_two_rows_that_want_the_same_payment_both_wait() -> None:
    """f1 = a + b and f2 = b + c: b cannot be in both. The pair g = d stands apart and is found."""
    files = {"f1": 300, "f2": 500, "g": 7}
    assert unique_splits(files, {"a": 100, "b": 200, "c": 300, "d": 7}) == [Split(("g",), ("d",))]


def test_a_large_group_is_not_searched() -> None:
    many = {f"g{number}": 2**number for number in range(MOST_RECORDS + 1)}
    assert unique_splits({"f": 3}, many) == []


@given(SIDES)
def test_what_is_found_agrees_is_disjoint_and_has_no_rival(sides: tuple[list[int], list[int]]) -> None:
    files, gateways = named("f", sides[0]), named("g", sides[1])
    found, possible = unique_splits(files, gateways), every_split(files, gateways)
    assert set(found) <= possible
    for split in found:
        rivals = possible - {split}
        assert not any({*split.files} & {*one.files} or {*split.gateways} & {*one.gateways} for one in rivals)
    unrivalled = {
        split
        for split in possible
        if not any(
            {*split.files} & {*one.files} or {*split.gateways} & {*one.gateways} for one in possible - {split}
        )
    }
    assert set(found) == unrivalled


@given(SIDES, st.randoms(use_true_random=False))
def test_the_order_of_the_records_is_of_no_consequence(
    sides: tuple[list[int], list[int]], random: object
) -> None:
    files, gateways = named("f", sides[0]), named("g", sides[1])
    shuffled_files, shuffled_gateways = list(files.items()), list(gateways.items())
    random.shuffle(shuffled_files)  # type: ignore[attr-defined]
    random.shuffle(shuffled_gateways)  # type: ignore[attr-defined]
    assert unique_splits(dict(shuffled_files), dict(shuffled_gateways)) == unique_splits(files, gateways)
