"""All sample data in the order in which it arrives."""

from datetime import date

from local_stack.gateways.payments import Payment
from local_stack.gateways.webhooks import Webhook
from local_stack.sample_data import axle, gb, ugro
from local_stack.sample_data.samples import Mandate, SampleFile
from local_stack.sample_data.texts import csv_bytes


def umrn_master() -> SampleFile:
    """The UMRN master of all lenders that collect by NACH."""
    headings = ("umrn", "loan_id", "lender", "valid_from", "valid_to")
    mandates = [*gb.mandates(), *ugro.mandates()]
    return SampleFile("umrn/umrn_master_20260101.csv", csv_bytes([headings, *map(_cells, mandates)]))


def _cells(mandate: Mandate) -> tuple[str, ...]:
    return (
        mandate.umrn,
        mandate.loan_id,
        mandate.lender,
        _iso(mandate.valid_from),
        _iso(mandate.valid_to),
    )


def _iso(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def deliveries() -> list[list[SampleFile]]:
    """The lenders' files, one list a delivery: the later ones repeat some of what the earlier ones brought."""
    return [
        [*gb.first_delivery(), *ugro.first_delivery(), *axle.files()],
        [*gb.second_delivery(), *ugro.second_delivery()],
    ]


def refund() -> Webhook:
    """The one announcement that is no payment."""
    return axle.refund()


def payments() -> list[Payment]:
    """What the gateways announce by webhook."""
    return [*gb.payments(), *axle.payments()]
