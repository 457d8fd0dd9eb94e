"""Waiting for a file version that the processing log does not know, in the triggerer and not in a worker slot."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

import psycopg
from airflow.providers.amazon.aws.hooks.s3 import S3Hook
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from psycopg.rows import dict_row

from turno_lms.ingestion import queries
from turno_lms.ingestion.files import FilePlace, LenderFile, files_in_pages, known_parameters, without_known
from turno_lms.warehouse.connection import Role, warehouse_url


class UnseenFileTrigger(BaseTrigger):
    """Fires when S3 holds a key and etag, in one of the places, that the log does not have in a final state."""

    def __init__(
        self, bucket_name: str, places: Sequence[dict[str, str]], aws_conn_id: str, poke_seconds: int
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own, untyped
        self.bucket_name = bucket_name
        self.places = places
        self.aws_conn_id = aws_conn_id
        self.poke_seconds = poke_seconds

    @classmethod
    def of(
        cls, bucket_name: str, places: Sequence[FilePlace], aws_conn_id: str, poke_seconds: int
    ) -> "UnseenFileTrigger":
        """The trigger that waits for files in `places`."""
        return cls(bucket_name, [asdict(place) for place in places], aws_conn_id, poke_seconds)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and arguments, from which the triggerer makes it again."""
        arguments = {
            name: getattr(self, name) for name in ("bucket_name", "places", "aws_conn_id", "poke_seconds")
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something new."""
        try:
            url = await sync_to_async(warehouse_url)(Role.INGESTION)
            hook = S3Hook(aws_conn_id=self.aws_conn_id)
            async with await hook.get_async_conn() as client:  # type: ignore[no-untyped-call]  # untyped there
                while not (unseen := await self._unseen(client, url)):
                    await asyncio.sleep(self.poke_seconds)
            yield _event("success", f"new: {', '.join(file.key for file in unseen)}")
        except (
            Exception
        ) as error:  # as Airflow's own triggers do: the task fails with the message and is retried
            yield _event("error", f"{type(error).__name__}: {error}")

    async def _unseen(self, client: Any, url: str) -> list[LenderFile]:
        found: list[LenderFile] = []
        for place in (FilePlace(**place) for place in self.places):
            pages = client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket_name, Prefix=place.prefix
            )
            found.extend(files_in_pages([page async for page in pages], self.bucket_name, place))
        async with await psycopg.AsyncConnection.connect(url, row_factory=dict_row) as conn:
            known = await conn.execute(queries.KNOWN_VERSIONS, known_parameters(self.bucket_name, found))
            return without_known(found, await known.fetchall())


def _event(status: str, message: str) -> TriggerEvent:
    return TriggerEvent({"status": status, "message": message})  # type: ignore[no-untyped-call]  # untyped there
