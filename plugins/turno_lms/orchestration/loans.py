"""The steps of the DAG that compares loans: fetching them in full, landing lenders' statements, keeping differences."""

from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from turno_lms.orchestration.connections import bucket, fineract_client, s3_client
from turno_lms.orchestration.runs import current_run
from turno_lms.warehouse.connection import Role, connect


def fetch_details() -> dict[str, int]:
    """Fetch loans with their transactions: the changed ones, and a share of the others."""
    from turno_lms.fineract.snapshots import snapshot_details

    run = current_run()
    with connect(Role.POSTER, autocommit=True) as conn, fineract_client(run) as client:
        return snapshot_details(conn, client, run).to_dict()


def land_statements() -> list[dict[str, Any]]:
    """Land the statements of every lender whose mapping says how to read them; fails once for those that cannot be."""
    from turno_lms.lenders.registry import load_lenders
    from turno_lms.reconciliation.loan_statements import PREFIX, StatementError, land_statement

    s3, run = s3_client(), current_run()
    landed: list[dict[str, Any]] = []
    refused: list[str] = []
    with connect(Role.INGESTION) as conn:
        for lender in load_lenders().values():
            layout = lender.reconciliation.loan_statement
            if layout is None:
                continue
            pages = s3.get_paginator("list_objects_v2").paginate(
                Bucket=bucket(), Prefix=f"{PREFIX}{lender.slug}/"
            )
            for key in [found["Key"] for page in pages for found in page.get("Contents", [])]:
                content = s3.get_object(Bucket=bucket(), Key=key)["Body"].read()
                try:
                    landed.append(
                        land_statement(conn, lender.slug, layout, key, content=content, run=run).to_dict()
                    )
                except StatementError as error:
                    refused.append(f"{key}: {error}")
                conn.commit()
    if refused:
        raise AirflowFailException("\n".join(refused))
    return landed


def record_loans() -> dict[str, int]:
    """Keep the differences as exceptions."""
    from turno_lms.reconciliation.findings import record_loans

    with connect(Role.RECONCILER) as conn:
        return record_loans(conn, current_run()).to_dict()
