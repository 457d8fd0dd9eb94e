"""Lender slugs become table names, so not every slug will do."""

import pytest

from turno_lms.domain.names import check_slug, gateway_table, payment_file_table


def test_a_slug_gives_the_documented_table_names() -> None:
    assert check_slug("gb") == "gb"
    assert payment_file_table("gb") == "raw_gb"
    assert gateway_table("gb", "cashfree") == "raw_gb_cashfree_api"


@pytest.mark.parametrize("slug", ["GB", "9x", "a b", "a__b", "a-b", "", "x;drop table", "a_"])
def test_a_slug_that_is_no_plain_name_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="a letter first"):
        check_slug(slug)


@pytest.mark.parametrize("slug", ["umrn_master", "payment_file", "create_loan_los", "gb_razorpay_api"])
def test_a_slug_whose_table_would_be_another_table_is_refused(slug: str) -> None:
    with pytest.raises(ValueError, match="reserved"):
        check_slug(slug)


def test_a_slug_too_long_for_a_postgres_identifier_is_refused() -> None:
    # raw_ + slug + _razorpay_api = 4 + n + 13 bytes, so 46 fits in 63 and 47 does not
    assert check_slug("a" * 46)
    with pytest.raises(ValueError, match="too long"):
        check_slug("a" * 47)
