"""A process of its own that loads what is new for GB: what a kill leaves behind is real.

Arguments: the warehouse's URL and the S3 server's.
"""

import sys

import boto3

from tests.ingestion.files import BUCKET, RUN
from turno_lms.ingestion.files import find_new_files
from turno_lms.ingestion.load import ingest_file
from turno_lms.lenders.registry import load_lenders
from turno_lms.warehouse.connection import connect

APPLICATION = "loading_process"


def main(warehouse_url: str, s3_url: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="ap-south-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    lender = load_lenders()["gb"]
    with connect(warehouse_url, application_name=APPLICATION) as conn:
        for file in find_new_files(conn, s3, BUCKET, lender):
            ingest_file(conn, s3, lender, file, RUN)


if __name__ == "__main__":
    main(*sys.argv[1:])
