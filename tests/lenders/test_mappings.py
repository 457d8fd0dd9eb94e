"""What the shipped mappings say, and what is derived from them."""

import json
from pathlib import Path

import pytest

from turno_lms.domain.names import check_slug
from turno_lms.ingestion.umrn import ALL_LENDERS
from turno_lms.lenders.registry import load_lender, load_lenders
from turno_lms.lenders.schema import Lender


def version(path: Path) -> str:
    return load_lender(path).mapping_version


def test_every_shipped_lender_has_a_product_of_its_own() -> None:
    products = {slug: lender.fineract.product_id for slug, lender in load_lenders().items()}
    assert {slug: products[slug] for slug in ("gb", "ugro", "axle")} == {"gb": 1, "ugro": 2, "axle": 3}
    assert sorted(products.values()) == list(range(1, len(products) + 1))


def test_every_channel_belongs_to_one_stream() -> None:
    lenders = load_lenders()
    assert (
        lenders["gb"].stream_of("file:nach_response") == lenders["gb"].stream_of("razorpay") == "nach_debits"
    )
    assert lenders["axle"].streams["gateway_payments"].posts == "razorpay"
    assert lenders["axle"].stream_of("file:razorpay_settlement") == "gateway_payments"


def test_comments_and_order_do_not_change_the_mapping_version(mappings: Path) -> None:
    path = mappings / "ugro.yml"
    before, text = version(path), path.read_text(encoding="utf-8")
    name, product = "name: UGRO\n", "fineract:\n  product_id: 2\n  payment_type_id: 1\n"
    assert name + product in text
    path.write_text("# another comment\n" + text.replace(name + product, product + name), encoding="utf-8")
    assert version(path) == before


@pytest.mark.parametrize(
    ("old", "new"), [("percent: 20", "percent: 21"), ("Bounced, ", ""), ("%d-%b-%Y", "%d-%m-%Y")]
)
def test_any_change_of_content_changes_the_mapping_version(mappings: Path, old: str, new: str) -> None:
    path = mappings / "ugro.yml"
    before, text = version(path), path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    assert version(path) != before


def test_no_lender_can_take_the_slug_that_stands_for_all() -> None:
    with pytest.raises(ValueError, match="lender slug"):
        check_slug(ALL_LENDERS)


@pytest.mark.parametrize("slug", sorted(load_lenders()))
def test_a_mapping_that_is_kept_as_json_reads_as_it_was(slug: str) -> None:
    lender = load_lenders()[slug]
    assert Lender.model_validate(json.loads(lender.canonical_content), strict=False) == lender
