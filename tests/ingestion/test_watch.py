"""The watch over expected files, against the log: an exception when one is overdue, cleared when it comes."""

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.ingestion.files import GB_PREFIX, RUN, Loads, debit, gb_csv
from turno_lms.domain.dates import IST
from turno_lms.ingestion.load import FileRefusedError
from turno_lms.ingestion.watch import WatchReport, watch_files
from turno_lms.lenders import mapping_versions
from turno_lms.lenders.schema import Lender
from turno_lms.warehouse.connection import WarehouseConnection

EXCEPTIONS = """
select subject, state, detail ->> 'arrival' as arrival from core.core_recon_exception
where kind = 'file_overdue' order by exception_id
"""
MONDAY = datetime(2026, 1, 5, 12, 0, tzinfo=IST)


@pytest.fixture
def expecting(loads: Loads, warehouse: WarehouseConnection) -> Loads:
    """GB, whose file is expected by 09:30 every day, since 4 January."""
    data = loads.lenders["gb"].model_dump(mode="json", by_alias=True, exclude_unset=True)
    data["files"]["nach_response"]["expected"] = {"by": "30 9 * * *", "tolerance_minutes": 30}
    gb = Lender.model_validate(data, strict=False)
    mapping_versions.keep(warehouse, gb)
    warehouse.execute("update core.core_lender_mapping set kept_at = '2026-01-04 18:00:00+05:30'")
    warehouse.commit()
    return replace(loads, lenders={"gb": gb})


def watch(loads: Loads, at: datetime) -> WatchReport:
    return watch_files(loads.conn, loads.lenders.values(), at, RUN)


def told(report: WatchReport) -> list[tuple[str, str, str | None]]:
    return [(one.by, str(one.arrival), one.state) for one in report.deadlines]


def load_at(
    loads: Loads, warehouse: WarehouseConnection, content: bytes, name: str, moment: datetime
) -> None:
    """Load a file as if it had been uploaded at a moment."""
    with suppress(FileRefusedError):
        loads.gb(content, name)
    warehouse.execute(
        "update raw.raw_s3_file_processing_log set uploaded_at = %s where key = %s",
        (moment, GB_PREFIX + name),
    )
    warehouse.commit()


def test_an_overdue_file_is_one_exception_that_clears_when_it_comes(
    expecting: Loads, warehouse: WarehouseConnection
) -> None:
    first = watch(expecting, MONDAY)
    assert first.newly_overdue == ("gb.nach_response by 2026-01-05 09:30: overdue; nothing came",)
    subject = "gb/nach_response/2026-01-05 09:30"
    assert expecting.rows(EXCEPTIONS) == [(subject, "open", "overdue")]
    assert watch(expecting, MONDAY + timedelta(minutes=15)).newly_overdue == ()
    assert (
        watch(expecting, MONDAY + timedelta(hours=20)).newly_overdue == ()
    )  # 6 January 08:00: missing by now
    assert expecting.rows(EXCEPTIONS) == [(subject, "open", "missing")]

    load_at(expecting, warehouse, gb_csv(debit()), "a.csv", MONDAY + timedelta(hours=1))
    report = watch(expecting, MONDAY + timedelta(hours=2))
    assert (told(report)[0], report.cleared) == (("2026-01-05 09:30", "late", "loaded"), 1)
    assert expecting.rows(EXCEPTIONS) == [(subject, "cleared", "missing")]


@pytest.mark.parametrize(
    ("content", "state"),
    [(gb_csv(debit()), "loaded"), (gb_csv(), "loaded_empty"), (b"", "refused")],
    ids=["with rows", "without rows", "no bytes"],
)
def test_a_file_that_came_is_told_with_what_became_of_it(
    expecting: Loads, warehouse: WarehouseConnection, content: bytes, state: str
) -> None:
    load_at(expecting, warehouse, content, "a.csv", MONDAY - timedelta(hours=3))
    assert told(watch(expecting, MONDAY))[0] == ("2026-01-05 09:30", "on_time", state)


def test_a_correction_or_a_copy_is_not_the_next_day_s_file(
    expecting: Loads, warehouse: WarehouseConnection
) -> None:
    load_at(expecting, warehouse, gb_csv(debit()), "a.csv", MONDAY - timedelta(hours=3))
    load_at(expecting, warehouse, gb_csv(debit()), "b.csv", MONDAY + timedelta(hours=20))
    expecting.gb(gb_csv(debit(), debit(reference="T2")), "a.csv")
    warehouse.execute(
        "update raw.raw_s3_file_processing_log set uploaded_at = %s where file_id = 3",
        (MONDAY + timedelta(hours=21),),
    )
    warehouse.commit()
    report = watch(expecting, MONDAY + timedelta(days=1))
    assert told(report)[:2] == [
        ("2026-01-05 09:30", "on_time", "superseded"),
        ("2026-01-06 09:30", "overdue", None),
    ]


def test_nothing_is_expected_from_before_the_calendar_was_known(expecting: Loads) -> None:
    report = watch(expecting, MONDAY + timedelta(days=3))
    assert report.deadlines[0].by == "2026-01-05 09:30"
    without = replace(expecting, lenders={})
    assert watch(without, MONDAY).deadlines == ()
