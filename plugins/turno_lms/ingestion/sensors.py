"""The sensor in front of an ingest DAG: waits, deferred, for a file version that has not been dealt with."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.providers.amazon.aws.sensors.s3 import S3KeySensor
from airflow.sdk import Context

from turno_lms.ingestion.files import FilePlace, new_files
from turno_lms.ingestion.triggers import UnseenFileTrigger
from turno_lms.warehouse.connection import Role, connect


class NewFileSensor(S3KeySensor):
    """An S3KeySensor whose key is anything the processing log does not have in a final state.

    It looks once itself and then defers. With `wait` false (templated: `{{ ... }}` giving True or False) it lets the
    run through at once: a run that a person started works on what is there.
    """

    template_fields = (*S3KeySensor.template_fields, "wait")

    def __init__(
        self,
        *,
        places: Sequence[FilePlace],
        bucket_name: str,
        aws_conn_id: str,
        wait: bool | str = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            bucket_key=[f"{place.prefix}{place.pattern}" for place in places],
            bucket_name=bucket_name,
            wildcard_match=True,
            deferrable=True,
            aws_conn_id=aws_conn_id,
            **kwargs,
        )
        self.places = tuple(places)
        self.wait = wait

    def execute(self, context: Context) -> None:
        """Return at once when there is a new file or no waiting is wanted; defer otherwise."""
        if str(self.wait).lower() != "true":
            self.log.info("This run does not wait: it works on the files that are there")
            return
        super().execute(context)

    def poke(self, context: Context) -> bool:  # noqa: ARG002  # Airflow's signature
        """Whether a new file is there."""
        with connect(Role.INGESTION) as conn:
            found = new_files(conn, self.hook.conn, str(self.bucket_name), self.places)
        for file in found:
            self.log.info("New: s3://%s/%s (etag %s)", file.bucket, file.key, file.etag)
        return bool(found)

    def _defer(self) -> None:
        trigger = UnseenFileTrigger.of(
            str(self.bucket_name), self.places, str(self.aws_conn_id), int(self.poke_interval)
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))
