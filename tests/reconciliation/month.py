"""A month whose truth is known: which records are one payment, and which only look like it.

Every case stands on a loan of its own, so that what it shows is its own doing; decoys share rupees and days across
loans. Rupees of a case are unlike those of any other, except where the likeness is the point.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.dbt.landing import (
    Channel,
    FileRow,
    LenderSetup,
    RazorpayPayment,
    put_file,
    put_lender,
    put_webhook,
)
from tests.dbt.project import DbtProject
from turno_lms.domain.money import canonical_amount
from turno_lms.warehouse.connection import WarehouseConnection

LENDER = LenderSetup(
    "gb",
    1,
    (
        Channel(
            "file:nach", "nach_debits", posts=True, policy="after_recon", sub_reference_id_is="settlement"
        ),
        Channel("file:report", "nach_debits", policy="after_recon", payment_id_is="razorpay"),
        Channel("file:bank", "nach_debits", policy="after_recon", payment_id_is="bank_reference"),
        Channel("razorpay", "nach_debits", policy="after_recon"),
    ),
    (("payload.payment.entity.notes.loan_id", None, None, r"GB\d{6}", "loan_id"),),
)
FEE = Decimal("11.80")
FIRST = date(2026, 1, 2)


@dataclass(frozen=True)
class Record:
    """A row of a file or a payment at the gateway; `name` is its native reference."""

    name: str
    loan: str
    day: date
    amount: Decimal
    settlement: str | None = None
    fee: Decimal | None = None
    rrn: str | None = None

    @property
    def is_file(self) -> bool:
        return self.name.startswith("file:")

    @property
    def kind(self) -> str:
        """The kind of file that holds it."""
        return self.name.split(":")[2]


@dataclass
class Month:
    """All records, the matches that are true (members to rule), and what each payment that is left should be called."""

    records: list[Record] = field(default_factory=list)
    matches: dict[frozenset[str], str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


class _Planter:
    """Adds one case after the other, each with a loan, a day and rupees of its own."""

    def __init__(self) -> None:
        self.month = Month()
        self._number = 0

    def case(self) -> tuple[str, date, Decimal]:
        self._number += 1
        day = FIRST + timedelta(days=self._number % 20)
        return f"GB{self._number:06d}", day, Decimal(4000 + 7 * self._number)

    def file(self, loan: str, day: date, amount: Decimal, **more: Any) -> str:
        return self._add(f"file:gb:nach:N{len(self.month.records):05d}", loan, day, amount, **more)

    def gateway(self, loan: str, day: date, amount: Decimal, **more: Any) -> str:
        return self._add(f"razorpay:pay_{len(self.month.records):05d}", loan, day, amount, **more)

    def report(self, payment: str, loan: str, day: date, amount: Decimal) -> str:
        """A row of the file kind that names the gateway's payment, in place of a NACH row."""
        return self._add(f"file:gb:report:{payment.removeprefix('razorpay:')}", loan, day, amount)

    def bank(self, rrn: str, loan: str, day: date, amount: Decimal) -> str:
        """A row of the file kind that names the bank's reference."""
        return self._add(f"file:gb:bank:{rrn}", loan, day, amount)

    def match(self, rule: str, *names: str) -> None:
        self.month.matches[frozenset(names)] = rule

    def leave(self, kind: str, *names: str) -> None:
        self.month.left |= dict.fromkeys(names, kind)

    def _add(self, name: str, loan: str, day: date, amount: Decimal, **more: Any) -> str:
        self.month.records.append(Record(name, loan, day, amount, **more))
        return name


def planted(size: int) -> Month:
    """A month with `size` cases of every sort."""
    plant = _Planter()
    for number in range(size):
        for case in (_agree, _banked, _late, _costs, _split, _differ, _lack, _ambiguous):
            case(plant, number)
    return plant.month


def _agree(plant: _Planter, number: int) -> None:
    """Equal in loan, day and rupees (R3), twice on one day every third time; and named by the gateway's id (R1)."""
    loan, day, amount = plant.case()
    for _ in range(2 if number % 3 == 0 else 1):
        plant.match("recon_match_key", plant.file(loan, day, amount), plant.gateway(loan, day, amount))
    loan, day, amount = plant.case()
    paid = plant.gateway(loan, day, amount)
    plant.match("gateway_payment_reference", paid, plant.report(paid, loan, day + timedelta(days=6), amount))


def _banked(plant: _Planter, number: int) -> None:
    """Both name the bank's reference (R2), six days apart; and references that differ where all else is equal."""
    loan, day, amount = plant.case()
    rrn, other = f"5123456{number:04d}1", f"5123456{number:04d}2"
    paid = plant.gateway(loan, day, amount, rrn=rrn)
    plant.match("bank_reference", paid, plant.bank(rrn, loan, day + timedelta(days=6), amount))
    loan, day, amount = plant.case()
    plant.leave("missing_in_file", plant.gateway(loan, day, amount, rrn=f"5123456{number:04d}3"))
    plant.leave("missing_in_gateway", plant.bank(other, loan, day, amount))


def _late(plant: _Planter, number: int) -> None:
    """The file is one to three days later (R4)."""
    loan, day, amount = plant.case()
    later = day + timedelta(days=1 + number % 3)
    plant.match("date_tolerance", plant.file(loan, later, amount), plant.gateway(loan, day, amount))


def _costs(plant: _Planter, number: int) -> None:
    """The file is net of the gateway's fee (R5); and 0.50 short where the lender allows a rupee (R6)."""
    loan, day, amount = plant.case()
    plant.match(
        "charge_explained", plant.file(loan, day, amount - FEE), plant.gateway(loan, day, amount, fee=FEE)
    )
    loan, day, amount = plant.case()
    plant.match(
        "amount_tolerance",
        plant.file(loan, day, amount - Decimal("0.50")),
        plant.gateway(loan, day, amount),
    )


def _split(plant: _Planter, number: int) -> None:
    """One row of a settlement for two payments (R7), and for two of three (R8)."""
    loan, day, amount = plant.case()
    parts = (Decimal(1000), amount - 1000)
    utr = f"UTR{number:04d}7"
    plant.match(
        "group_sum",
        plant.file(loan, day, amount, settlement=utr),
        *(plant.gateway(loan, day, part, settlement=utr) for part in parts),
    )
    loan, day, amount = plant.case()
    parts, utr = (Decimal(1100), amount - 1100), f"UTR{number:04d}8"
    plant.match(
        "group_subset",
        plant.file(loan, day, amount, settlement=utr),
        *(plant.gateway(loan, day, part, settlement=utr) for part in parts),
    )
    plant.leave("missing_in_file", plant.gateway(loan, day, Decimal(37), settlement=utr))


def _differ(plant: _Planter, number: int) -> None:
    """The file has the debit twice; another loan under one UTR; other rupees; a day beyond the tolerance."""
    loan, day, amount = plant.case()
    rows = [plant.file(loan, day, amount) for _ in range(2)]
    plant.match("recon_match_key", rows[0], plant.gateway(loan, day, amount))
    plant.leave("duplicate", rows[1])
    loan, day, amount = plant.case()
    utr = f"UTR{number:04d}9"
    other = plant.case()[0]
    plant.leave(
        "loan_mismatch",
        plant.file(loan, day, amount, settlement=utr),
        plant.gateway(other, day, amount, settlement=utr),
    )
    loan, day, amount = plant.case()
    plant.leave("amount_mismatch", plant.file(loan, day, amount - 90), plant.gateway(loan, day, amount))
    loan, day, amount = plant.case()
    later = day + timedelta(days=9)
    plant.leave("date_mismatch", plant.file(loan, later, amount), plant.gateway(loan, day, amount))


def _lack(plant: _Planter, number: int) -> None:
    """Two of each side that nothing belongs to, of the same rupees and day on four loans: decoys of one another."""
    _, day, amount = plant.case()
    for _ in range(2):
        plant.leave("missing_in_gateway", plant.file(plant.case()[0], day, amount))
        plant.leave("missing_in_file", plant.gateway(plant.case()[0], day, amount))


def _ambiguous(plant: _Planter, number: int) -> None:
    """One row with a payment on the day before and one on the day after."""
    loan, day, amount = plant.case()
    one, other = (plant.gateway(loan, day + timedelta(days=days), amount) for days in (-1, 1))
    plant.leave("ambiguous_match", plant.file(loan, day, amount), one, other)


def put_book(project: DbtProject, month: Month) -> None:
    """The lender with a tolerance of one rupee, and every loan of the month."""
    put_lender(project.conn, LENDER)
    project.conn.execute(
        "insert into core.core_lender_recon_rule values ('gb', 3, 1.00, 3, '[{\"above_rupees\": 0, \"hours\": 72}]')"
    )
    project.conn.execute(
        "insert into raw.raw_fineract_loan_snapshot"
        " (fineract_loan_id, external_id, product_id, status_id, payload, payload_md5, taken_by_run)"
        " select substr(loan, 3)::bigint, loan, 1, 300, '{}', 'test', 'test' from unnest(%s::text[]) as loan",
        (sorted({record.loan for record in month.records}),),
    )


def land(project: DbtProject, records: list[Record], chance: random.Random | None = None) -> None:
    """Land records, in order or shuffled and cut into files of up to seven rows."""
    records = list(records)
    if chance:
        chance.shuffle(records)
    for kind in ("nach", "report", "bank"):
        rows = [record for record in records if record.is_file and record.kind == kind]
        for chunk in _chunks(rows, chance):
            put_file(project.conn, "gb", kind, [_row(record) for record in chunk])
    with project.conn.transaction():
        for record in records:
            if not record.is_file:
                put_webhook(project.conn, "gb", _webhook(record), key=record.name)
                if record.settlement:
                    _settle(project.conn, record)


def _chunks(rows: list[Record], chance: random.Random | None) -> Iterator[list[Record]]:
    while rows:
        size = chance.randint(1, 7) if chance else len(rows)
        yield rows[:size]
        rows = rows[size:]


def _row(record: Record) -> FileRow:
    own = record.name.split(":")[-1]
    return FileRow(
        record.loan, canonical_amount(record.amount), record.day.isoformat(), payment_id=own,
        sub_reference_id=record.settlement,
    )  # fmt: skip


def _webhook(record: Record) -> dict[str, Any]:
    paid_at = datetime.combine(record.day, time(6), tzinfo=UTC)
    payment = RazorpayPayment(
        record.name.removeprefix("razorpay:"), canonical_amount(record.amount), paid_at,
        notes={"loan_id": record.loan}, rrn=record.rrn,
    )  # fmt: skip
    event = payment.event()
    if record.fee:
        event["payload"]["payment"]["entity"]["fee"] = int(record.fee * 100)
    return event


def _settle(conn: WarehouseConnection, record: Record) -> None:
    """A line of a settlement report that ties the payment to its UTR."""
    conn.execute(
        "with report as (insert into raw.raw_gateway_settlement_report (gateway, lender, source, name, sha256, lines,"
        " lines_new, rupees_net, landed_by_run) values ('razorpay', 'gb', 'file', %(payment)s, 'x', 1, 1, 0, 'test')"
        " returning report_id)"
        " insert into raw.raw_gateway_settlement_line (report_id, line_number, gateway, lender, entity, entity_id,"
        " gateway_payment_id, amount, fee, net, settlement_id, settlement_utr, payload)"
        " select report_id, 1, 'razorpay', 'gb', 'payment', %(payment)s, %(payment)s, %(amount)s, 0, %(amount)s,"
        " %(utr)s, %(utr)s, '{}' from report",
        {
            "payment": record.name.removeprefix("razorpay:"),
            "amount": record.amount,
            "utr": record.settlement,
        },
    )
