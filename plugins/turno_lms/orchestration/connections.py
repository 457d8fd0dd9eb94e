"""Ways out of a task, each from its Airflow connection: the bucket `turno_s3`, the server `turno_fineract`.

Imported inside tasks only in part: what a client needs is loaded when it is asked for, never at parse time.
"""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from turno_lms.domain.runs import RunContext

if TYPE_CHECKING:
    from turno_lms.fineract.client import FineractClient

S3_CONN_ID = "turno_s3"


def bucket() -> str:
    """Where lenders drop files, and where their bytes are archived."""
    return os.environ.get("TURNO_BUCKET") or "turnofile"


def s3_client() -> Any:
    """A boto3 client of the connection."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id=S3_CONN_ID).get_conn()


@contextmanager
def fineract_client(run: RunContext) -> Iterator["FineractClient"]:
    """A client whose every attempt is written to the API log at once, on a connection of its own."""
    from turno_lms.fineract.audit import DatabaseAudit
    from turno_lms.fineract.hook import FineractHook
    from turno_lms.warehouse.connection import Role, warehouse_url

    with closing(DatabaseAudit(warehouse_url(Role.POSTER), run)) as audit:
        yield FineractHook().client(audit)
