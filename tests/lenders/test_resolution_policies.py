"""The part `resolutions` of a mapping: what it gives the settlement, and what it refuses."""

from pathlib import Path

import pytest

from turno_lms.domain.resolutions import Band, Ending
from turno_lms.lenders.registry import MappingError, load_lender, mappings_directory

GB = mappings_directory() / "gb.yml"


def test_a_lender_without_the_part_allows_nothing() -> None:
    thar = load_lender(mappings_directory() / "thar.yml")
    assert thar.resolutions.settlement is None
    assert thar.resolutions.write_off is None


def test_the_bands_come_in_order_with_their_approvers() -> None:
    policy = load_lender(GB).resolutions.settlement
    assert policy is not None
    assert policy.ending is Ending.GOODWILL_CREDIT
    assert policy.approval_bands == (
        Band("team_lead", 25000, 20, ()),
        Band("finance", 200000, 60, ("finance_head", "finance_deputy")),
    )


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("up_to_rupees: 200000", "up_to_rupees: 25000", "reaches as far in rupees as team_lead"),
        ("up_to_percent: 20 ", "up_to_percent: 120 ", "less than or equal to 100"),
        ("remainder: goodwill_credit", "remainder: forget", "'goodwill_credit' or 'write_off'"),
        (
            "max_rupees: 500000\n",
            "max_rupees: 500000\n    charge_off_first: true\n",
            "Fineract asks for a reason",
        ),
        (
            "tolerance_rupees:",
            "tolerance:",
            "unknown key tolerance; did you mean tolerance_rupees?",
        ),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    text = GB.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "gb.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MappingError) as caught:
        load_lender(path)
    assert complaint in str(caught.value)
