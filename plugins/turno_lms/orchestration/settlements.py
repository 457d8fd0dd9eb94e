"""The steps of the DAG that lands the gateways' settlement reports: files from S3, and the gateways' own APIs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from turno_lms.domain.dates import ist_date
from turno_lms.orchestration.connections import bucket, s3_client
from turno_lms.orchestration.runs import current_run, text_param
from turno_lms.warehouse.connection import Role, connect

DAYS_BACK = 3
"""Days whose settlements are asked for again each time: a line may be added late."""


def land_files() -> list[dict[str, Any]]:
    """Land every report file that was not landed yet, or the one that the form names."""
    from turno_lms.reconciliation.settlement_layouts import SettlementError, read_file
    from turno_lms.reconciliation.settlements import PREFIX, Report, account_of, digest, land

    s3, wanted, landed, refused = s3_client(), text_param("key"), [], []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket(), Prefix=wanted or PREFIX)
    keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
    if wanted and wanted not in keys:
        raise AirflowFailException(f"the bucket has no {wanted}")
    with connect(Role.INGESTION) as conn:
        for key in keys:
            account = account_of(key)
            if account is None:
                continue
            content = s3.get_object(Bucket=bucket(), Key=key)["Body"].read()
            try:
                lines = read_file(account[0], content.decode("utf-8-sig"))
                report = Report(*account, "file", key, digest(content), lines)
                landed.append(land(conn, report, current_run()).to_dict())
            except (SettlementError, UnicodeDecodeError) as error:
                refused.append(f"{key}: {error}")
            conn.commit()
    if refused:
        raise AirflowFailException("\n".join(refused))
    return landed


def accounts() -> list[dict[str, str]]:
    """Every gateway of every lender's mapping."""
    from turno_lms.gateways.connections import accounts
    from turno_lms.lenders.registry import load_lenders

    return accounts(load_lenders())


def land_account(account: dict[str, str]) -> list[dict[str, Any]]:
    """Ask one account for the settlements of the last days, and land what is new."""
    from turno_lms.gateways.connections import gateway_api
    from turno_lms.lenders.accounts import connection_id
    from turno_lms.reconciliation.settlement_layouts import SettlementError, read_api
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
