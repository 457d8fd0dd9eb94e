"""The steps of the DAG that lands the gateways' settlement reports: files from S3, and the gateways' own APIs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.domain.dates import ist_date
from turno_lms.domain.runs import RunContext
from turno_lms.orchestration.connections import bucket, s3_client
from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.warehouse.connection import Role, WarehouseConnection, connect

if TYPE_CHECKING:
    from turno_lms.reconciliation.settlement_lines import SettlementLine

DAYS_BACK = 3
"""Days whose settlements are asked for again each time: a line may be added late."""


def land_files() -> list[dict[str, Any]]:
    """Land every report file that was not landed yet, or the one that the form names."""
    from turno_lms.ingestion.refusals import FileRefusedError
    from turno_lms.reconciliation.settlement_lines import SettlementError
    from turno_lms.reconciliation.settlements import PREFIX, account_of

    s3, wanted, landed, refused = s3_client(), text_param("key"), [], []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=wanted or PREFIX)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    if wanted and wanted not in keys:
        raise AirflowFailException(f"the bucket has no {wanted}")
    with connect(Role.INGESTION) as conn, TemporaryDirectory(prefix="turno-settlements-") as folder:
        path = Path(folder) / "report"
        for key in keys:
            account = account_of(key)
            if account is None:
                continue
            path.write_bytes(s3.get_object(Bucket=bucket(), Key=key)["Body"].read())
            try:
                landed += land_report(conn, account, key, path, current_run())
            except (SettlementError, FileRefusedError) as error:
                refused.append(f"{key}: {error}")
            conn.commit()
    if refused:
        raise AirflowFailException("\n".join(refused))
    return landed


def land_report(
    conn: WarehouseConnection, account: tuple[str, str], key: str, path: Path, run: RunContext
) -> list[dict[str, Any]]:
    """Land one report file of a (gateway, lender): what became of it, or nothing where these bytes were landed before.

    Raises FileRefusedError for a file that cannot be read, SettlementError for one that does not add up.
    """
    from turno_lms.reconciliation.settlements import Report, digest, is_landed, land

    sha256 = digest(path.read_bytes())
    if is_landed(conn, account, key, sha256):
        return []
    report = Report(*account, "file", key, sha256, read_report(account[0], path, PurePosixPath(key).name))
    return [land(conn, report, run).to_dict()]


def read_report(gateway: str, path: Path, name: str) -> "list[SettlementLine]":
    """The lines of a report file, CSV or XLSX by its bytes; `name` is for messages. Raises as `land_report` does."""
    from turno_lms.ingestion.readers.headed import TableHeadings, headed_tables
    from turno_lms.reconciliation.settlement_layouts import FileTables, file_headings, read_file

    lines, settlements = (TableHeadings(each.needed, each.known) for each in file_headings(gateway))
    found = headed_tables(path, name, {"lines": lines, "settlements": settlements})
    tables = {table: [(row.number, row.cells) for row in rows] for table, rows in found.items()}
    return read_file(gateway, FileTables(**tables))


def accounts() -> list[dict[str, str]]:
    """Every gateway of every lender's mapping."""
    from turno_lms.gateways.connections import accounts
    from turno_lms.lenders.registry import load_lenders

    return accounts(load_lenders())


def land_account(account: dict[str, str]) -> list[dict[str, Any]]:
    """Ask one account for the settlements of the last days, and land what is new."""
    from turno_lms.gateways.connections import gateway_api
    from turno_lms.lenders.accounts import connection_id
    from turno_lms.reconciliation.settlement_layouts import read_api
    from turno_lms.reconciliation.settlement_lines import SettlementError
    from turno_lms.reconciliation.settlements import Report, digest_of_lines, land

    api = gateway_api(**account)
    if api is None:
        raise AirflowSkipException(f"there is no connection {connection_id(**account)}")
    today, landed = ist_date(datetime.now(UTC)), []
    with connect(Role.INGESTION) as conn:
        for back in range(DAYS_BACK, -1, -1):
            day = today - timedelta(days=back)
            try:
                lines = read_api(account["gateway"], api.settled_on(day))
                if lines:
                    named = (
                        account["gateway"],
                        account["lender"],
                        "api",
                        day.isoformat(),
                        digest_of_lines(lines),
                    )
                    landed.append(land(conn, Report(*named, lines), current_run()).to_dict())
            except SettlementError as error:
                raise AirflowFailException(f"{account['lender']} at {account['gateway']}: {error}") from None
            conn.commit()
    return landed
