"""The sample data is the same on every machine, and is what its hand-counted figures say."""

import csv
import subprocess
import sys
from collections import Counter

import pytest

from local_stack.sample_data import catalogue, expected
from local_stack.sample_data.book import ALL_LOANS, GB_LOANS, by_id
from local_stack.sample_data.expected import ExpectedFile
from local_stack.sample_data.samples import SampleFile
from turno_lms.domain.keys import recon_match_key

_DIGEST = (
    "import hashlib; from local_stack.sample_data import catalogue as c;"
    "files = [c.umrn_master(), *(file for delivery in c.deliveries() for file in delivery)];"
    "payments = [payment.model_dump_json() for payment in c.payments()];"
    "print(hashlib.sha256(repr((files, payments)).encode()).hexdigest())"
)
_CSV_FILES = {
    file.name: file for delivery in catalogue.deliveries() for file in delivery if file.name.endswith("csv")
}
_TABLES = [file for file in expected.FILES if file.name in _CSV_FILES and file.state in {"loaded", "halted"}]


def test_two_processes_build_the_same_bytes() -> None:
    digests = {
        subprocess.run([sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }

    assert len(digests) == 1


def test_the_loan_of_the_reference_value_pays_the_emi_of_the_reference_value() -> None:
    loan = by_id(GB_LOANS)["GB100234"]

    assert loan.emi_paise == 5_499_00
    assert (
        recon_match_key(loan.loan_id, catalogue.gb.FIRST_DEBIT, "5499.00")
        == "aeadc250024562542b3ed6ba8b557226"
    )


def test_ids_that_must_be_unique_are() -> None:
    assert len({loan.loan_id for loan in ALL_LOANS}) == len(ALL_LOANS) == 120 + 110 + 60
    assert len({loan.mobile for loan in ALL_LOANS}) == len(ALL_LOANS)
    assert {len(loan.umrn) for loan in ALL_LOANS} == {20}
    assert max(Counter(payment.payment_id for payment in catalogue.payments()).values()) == 1


def test_every_sample_file_has_hand_counted_figures() -> None:
    built = [file.name for delivery in catalogue.deliveries() for file in delivery]

    assert sorted(built) == sorted(file.name for file in expected.FILES)


@pytest.mark.parametrize("figures", _TABLES, ids=lambda figures: figures.name)
def test_a_file_has_as_many_payment_rows_as_counted(figures: ExpectedFile) -> None:
    assert len(_payment_rows(_CSV_FILES[figures.name])) == figures.read


def _payment_rows(file: SampleFile) -> list[list[str]]:
    """The rows between the headings (the first row of full width) and the totals."""
    rows = list(csv.reader(file.body.decode().splitlines(keepends=True)))
    width = max(map(len, rows))
    below = rows[next(number for number, row in enumerate(rows) if len(row) == width) + 1 :]
    return [row for row in below if row and row[0] not in {"Total", "Prepared by", "Authorised Signatory"}][
        : next((number for number, row in enumerate(below) if row[0] == "Total"), len(below))
    ]
