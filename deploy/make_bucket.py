"""Make the bucket of lenders' files on the server of the connection `turno_s3`, if it is missing."""

import os

from turno_lms.orchestration.connections import s3_client

bucket = os.environ["TURNO_BUCKET"]
client = s3_client()
if bucket not in {found["Name"] for found in client.list_buckets()["Buckets"]}:
    client.create_bucket(Bucket=bucket)
    print(f"bucket {bucket} made")
