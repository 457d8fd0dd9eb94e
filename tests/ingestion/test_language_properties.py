"""Amounts, formulas and extractions for any input: what must come out is put in first."""

from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turno_lms.domain.money import indian_rupees, paise_to_rupees
from turno_lms.ingestion import columns
from turno_lms.ingestion.arithmetic import computed
from turno_lms.lenders.columns import (
    AmountColumn,
    DateColumn,
    LoanIdColumn,
    StatusColumn,
    Suffixes,
    TextColumn,
    UmrnColumn,
)
from turno_lms.lenders.expressions import parse_formula
from turno_lms.lenders.patterns import check_extraction

MAX_PAISE = 10**12
paise = st.integers(0, MAX_PAISE - 1)
STATEMENT = AmountColumn(
    type="amount",
    heading=("Amount",),
    grouping="indian",
    suffixes=Suffixes(positive=("Cr",), negative=("Dr",)),
)
PLAIN = AmountColumn(type="amount", heading=("Amount",), grouping="indian")


def values(column: Any, *texts: str | None) -> list[Any]:
    frame = pl.DataFrame({"x": texts}, schema={"x": pl.String})
    value = columns.value("x", column, loan_id_pattern=r"SMP\d{6}", iso_dates=False)
    return frame.select(value.alias("value"))["value"].to_list()


def results(formula: str, **amounts: int | None) -> int | None:
    frame = pl.DataFrame(
        {name: [value] for name, value in amounts.items()}, schema=dict.fromkeys(amounts, pl.Int64)
    )
    return frame.select(computed(parse_formula(formula)).alias("value"))["value"].item()


def part_of(column: Any, text: str) -> tuple[str | None, bool]:
    """What a column takes out of a text, and whether that is ambiguous."""
    frame = pl.DataFrame({"x": [text]})
    ambiguous = columns.is_ambiguous("x", column, loan_id_pattern=r"SMP\d{6}")
    assert ambiguous is not None
    taken = frame.select(
        columns.part("x", column, is_reference=False).alias("part"), ambiguous.alias("several")
    )
    return taken["part"].item(), taken["several"].item()


@given(
    amount=paise, blank=st.sampled_from(["", " ", "\u00a0"]), mark=st.sampled_from(["", "₹", "Rs. ", "INR "])
)
def test_a_suffix_has_the_meaning_the_lender_gives_it(amount: int, blank: str, mark: str) -> None:
    rupees = mark + indian_rupees(paise_to_rupees(amount))
    texts = [f"{rupees}{blank}{suffix}" for suffix in ("Cr", "CR", "Dr", "dr")]
    assert values(STATEMENT, *texts) == [amount, amount, -amount, -amount]
    # nothing is guessed: no suffix, an unknown one, two of them, a sign as well
    unknown = [rupees, f"{rupees} X", f"{rupees} Cr Dr", f"-{rupees} Cr", f"({rupees}) Dr"]
    assert values(STATEMENT, *unknown) == [None] * 5


@given(amount=paise, mark=st.sampled_from(["", "₹", "Rs. ", "INR "]))
def test_brackets_and_a_minus_make_an_amount_negative(amount: int, mark: str) -> None:
    rupees = indian_rupees(paise_to_rupees(amount))
    texts = [f"({mark}{rupees})", f"-{mark}{rupees}", f"{mark}-{rupees}", f"{mark}({rupees})"]
    assert values(PLAIN, *texts) == [-amount] * 4
    assert values(PLAIN, f"({rupees}", f"{rupees})", f"--{rupees}", f"(({rupees}))") == [None] * 4


@given(amount=paise, width=st.integers(1, 13))
def test_paise_may_be_padded_with_zeros(amount: int, width: int) -> None:
    column = AmountColumn(type="amount", heading=("Amount",), unit="paise")
    assert values(column, str(amount).zfill(width)) == [amount]


@given(text=st.text(max_size=20))
def test_no_text_makes_the_reading_of_an_amount_fail(text: str) -> None:
    for column in (PLAIN, STATEMENT):
        (value,) = values(column, text)
        assert value is None or abs(value) < MAX_PAISE


@st.composite
def formulas(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """A formula over a = 1.01, b = 250.00 and c = -3.07 with the paise it must give, worked out in fractions."""
    simple = st.sampled_from(
        [("a", Fraction(101)), ("b", Fraction(25000)), ("c", Fraction(-307)), ("2.50", Fraction(250))]
    )
    if depth == 0 or draw(st.booleans()):
        return draw(simple)
    left, left_value = draw(formulas(depth - 1))
    right, right_value = draw(formulas(depth - 1))
    times = draw(st.integers(0, 9))
    return draw(
        st.sampled_from(
            [
                (f"({left} + {right})", left_value + right_value),
                (f"({left} - {right})", left_value - right_value),
                (f"-({left})", -left_value),
                (f"{times} * ({left})", left_value * times),
                (f"min({left}, {right})", min(left_value, right_value)),
                (f"max({left}, {right})", max(left_value, right_value)),
            ]
        )
    )


@settings(max_examples=150, deadline=None)
@given(formula=formulas())
def test_a_formula_gives_what_exact_arithmetic_gives(formula: tuple[str, Fraction]) -> None:
    text, expected = formula
    if len(text) <= 200:
        assert results(text, a=101, b=25000, c=-307) == expected


@given(
    amount=st.integers(-MAX_PAISE + 1, MAX_PAISE - 1),
    rate=st.integers(0, 10_000),
    divisor=st.integers(1, 1000),
)
def test_a_share_is_rounded_as_the_formula_says(amount: int, rate: int, divisor: int) -> None:
    """Against Python's own exact fractions, on the amount's size, with its sign given back."""
    for text, exact in (
        (f"a * {rate // 10_000}.{rate % 10_000:04d}", Fraction(abs(amount) * rate, 10_000)),
        (f"a / {divisor}", Fraction(abs(amount), divisor)),
    ):
        whole = exact.numerator // exact.denominator
        expected = {
            "down": whole,
            "up": whole + (exact != whole),
            "half_up": int(exact + Fraction(1, 2)),
            "half_even": round(exact),
        }
        for rounding, size in expected.items():
            sign = -1 if amount < 0 else 1
            assert results(f"{rounding}({text})", a=amount) == sign * size, (rounding, text)


def test_a_formula_that_leaves_the_range_gives_nothing() -> None:
    top = MAX_PAISE - 1
    assert results("a + 0.01", a=top) is None
    assert results("a + 0.00", a=top) == top
    assert results("1000 * (1000 * (1000 * (1000 * (1000 * (1000 * a)))))", a=top) is None
    assert results("min(a, b)", a=1, b=None) is None
    assert results("half_up(a / 3) + b", a=None, b=1) is None


noise = st.text(alphabet="abc /-.,:;", max_size=8).map(lambda text: f" {text} ")
references = st.lists(
    st.sampled_from(["HDFCN26010500001", "SBIN126010500002", "KKBK026010500003"]), max_size=3
)


@given(found=references, gaps=st.lists(noise, min_size=4, max_size=4))
def test_an_extraction_takes_the_only_reference_there_is(found: list[str], gaps: list[str]) -> None:
    column = TextColumn(type="text", heading=("Narration",), extract=r"\b[A-Z0-9]{16}\b")
    text = gaps[0] + "".join(reference + gap for reference, gap in zip(found, gaps[1:], strict=False))
    expected = found[0] if len(set(found)) == 1 else None
    assert part_of(column, text) == (expected, len(set(found)) > 1)


@given(found=references, gaps=st.lists(noise, min_size=4, max_size=4))
def test_a_group_is_what_an_extraction_takes(found: list[str], gaps: list[str]) -> None:
    column = TextColumn(type="text", heading=("Narration",), extract=r"UTR:? ?([A-Z0-9]{16})\b")
    text = gaps[0] + "".join(
        f"UTR: {reference}{gap}" for reference, gap in zip(found, gaps[1:], strict=False)
    )
    expected = found[0] if len(set(found)) == 1 else None
    assert part_of(column, text) == (expected, len(set(found)) > 1)


@given(text=st.text(alphabet="SMP123_ ", max_size=30), separator=st.sampled_from(["_", "//", "|"]))
def test_a_text_without_the_separator_is_never_returned_whole(text: str, separator: str) -> None:
    column = LoanIdColumn.model_validate(
        {"type": "loan_id", "heading": "Receipt", "split": {"separator": separator, "part": 1}}
    )
    frame = pl.DataFrame({"x": [text]})
    taken = frame.select(columns.part("x", column, is_reference=False).alias("part"))["part"].item()
    assert taken == (text.split(separator, maxsplit=1)[0].strip() or None if separator in text else None)


@settings(max_examples=300, deadline=None)
@given(
    pattern=st.lists(
        st.sampled_from(
            [r"\d", r"\w", r"\s", r"\b", "[A-Z]", "[^,]", "SMP", "(", ")", "(?:", "|", "*", "+", "?", "{2}", "{1,64}", "{65}",
             "^", "$", ".", r"\.", r"\p{L}", r"\1", "(?=", "(?i)", "[[", "&&", r"\Z", "é"]
        ),
        min_size=1, max_size=7,
    ).map("".join)
)  # fmt: skip
def test_a_pattern_that_is_allowed_runs_and_finds_what_python_finds(pattern: str) -> None:
    try:
        check_extraction(pattern)
    except ValueError:
        return
    import re

    text = "SMP100234 paid 5499.00, [ref] SMP é 1"
    frame = pl.DataFrame({"x": [text]})
    found = frame.select(pl.col("x").str.extract_all(pattern).alias("found"))["found"].item().to_list()
    assert found == [match.group() for match in re.finditer(pattern, text)]


READINGS = [
    PLAIN,
    STATEMENT,
    AmountColumn(type="amount", heading=("Amount",), unit="paise", required=False),
    AmountColumn(type="amount", heading=("Amount",), grouping="western"),
    DateColumn(type="date", heading=("Date",), formats=("%d/%m/%Y", "%Y-%m-%d")),
    StatusColumn(type="status", heading=("Status",), values={"collected": ("Paid", "1,234.00")}),
    LoanIdColumn(type="loan_id", heading=("Loan",)),
    UmrnColumn(type="umrn", heading=("UMRN",)),
    TextColumn(type="text", heading=("Note",)),
    TextColumn(type="text", heading=("Note",), one_of=("Paid", "12")),
]
cells = st.one_of(
    st.none(),
    st.text(alphabet="0123456789,.-() '=\"EeCDr₹/\u00a0\t\nSMP", min_size=1, max_size=12),
    st.text(min_size=1, max_size=6),
    st.sampled_from(
        ["1,23,456.00", "1,234.00", "5499", "(12.50)", "Rs. 5,499/-", "12.50 Cr", "5.02E+13", "5E13", "05/01/2026",
         "2026-01-05", "Paid", "SMP100234", "smp 100234", "'HDFC700012", "HDFC700012", "a  b", "a\0b"]
    ),
)  # fmt: skip


@given(texts=st.lists(cells, min_size=1, max_size=8), repeats=st.integers(1, 6))
def test_the_quick_way_of_reading_reads_nothing_otherwise(texts: list[str | None], repeats: int) -> None:
    """Plain texts are read by a shorter expression, repeated ones once: neither may show in a value."""
    asked = [text.strip() or None if text else None for text in texts] * repeats
    quick = [*(values(column, *asked) for column in READINGS), references_of(asked)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_plainly_first", lambda text, _plain, thorough, _dtype: thorough(text))
        patch.setattr(columns, "_each_once", lambda text, reading, _dtype: reading(text))
        thorough = [*(values(column, *asked) for column in READINGS), references_of(asked)]
    assert quick == thorough


def references_of(texts: list[str | None]) -> list[Any]:
    frame = pl.DataFrame({"x": texts}, schema={"x": pl.String})
    reference = columns.part("x", TextColumn(type="text", heading=("UTR",)), is_reference=True)
    return frame.select(reference.alias("part"))["part"].to_list()
