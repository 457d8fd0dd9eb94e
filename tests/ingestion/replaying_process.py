"""A process of its own that replays file 1 of GB: what a kill leaves behind is real.

Arguments: the warehouse's URL, the S3 server's, the version of the mapping.
"""

import sys

import boto3

from tests.ingestion.files import RUN
from tests.ingestion.loading_process import APPLICATION
from turno_lms.ingestion.replay import replay_file
from turno_lms.lenders import mapping_versions
from turno_lms.warehouse.connection import connect


def main(warehouse_url: str, s3_url: str, mapping_version: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with connect(warehouse_url, application_name=APPLICATION) as conn:
        with conn.transaction():
            lender = mapping_versions.read(conn, "gb", mapping_version)
        replay_file(conn, s3, lender, 1, RUN)


if __name__ == "__main__":
    main(*sys.argv[1:])
