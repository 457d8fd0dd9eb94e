"""`python -m local_stack.s3`: an S3 server in memory (moto) whose objects survive it.

Every few seconds and at the end the objects are copied to the state folder; a start puts them back with the same
bytes, etag and time. Between two copies a power cut may lose an upload, as no acknowledged file of a lender may:
this server is for laptops and tests.
"""

import argparse
import hashlib
import logging
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from local_stack.environment import REGION
from local_stack.folder import read_json, write_json
from local_stack.processes import LOOPBACK

MIRROR_SECONDS = 2.0


@dataclass
class Mirror:
    """The copy of a server's objects in a folder: an index, and one file per content, named by its sha256."""

    folder: Path
    backend: Any
    _index: dict[str, dict[str, dict[str, Any]]]

    @classmethod
    def of(cls, folder: Path, backend: Any) -> "Mirror":
        """The mirror kept in `folder`; a new folder is made."""
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder, backend, read_json(folder / "index.json", {}))

    def restore(self) -> None:
        """Put every mirrored object into the server."""
        for bucket, objects in self._index.items():
            self.backend.create_bucket(bucket, REGION)
            for key, entry in objects.items():
                content = (self.folder / entry["sha256"]).read_bytes()
                restored = self.backend.put_object(
                    bucket, key, content, etag=entry["etag"], disable_notification=True
                )
                restored.last_modified = datetime.fromisoformat(entry["last_modified"])
                restored.set_metadata(dict(entry["metadata"]), replace=False)

    def save(self) -> None:
        """Copy what changed since the last time. The index is replaced last, so a mirror is always a whole one."""
        index = {bucket.name: dict(self._entries(bucket)) for bucket in list(self.backend.buckets.values())}
        if index == self._index:
            return
        write_json(self.folder / "index.json", index)
        self._index = index
        used = {entry["sha256"] for objects in index.values() for entry in objects.values()}
        for file in self.folder.iterdir():
            if file.name not in used and file.name != "index.json":
                file.unlink()

    def _entries(self, bucket: Any) -> Iterator[tuple[str, dict[str, Any]]]:
        known = self._index.get(bucket.name, {})
        for key, versions in list(dict.items(bucket.keys)):
            stored = versions[-1]
            if not hasattr(stored, "etag"):
                continue  # a delete marker
            entry = {
                "etag": stored.etag.strip('"'),
                "last_modified": stored.last_modified.isoformat(),
                "metadata": dict(stored.metadata),
            }
            before = known.get(key, {})
            same = all(before.get(name) == value for name, value in entry.items())
            yield key, entry | {"sha256": before["sha256"] if same else self._write(stored.value)}

    def _write(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        file = self.folder / name
        if not file.exists():
            draft = file.with_suffix(".new")
            draft.write_bytes(content)
            draft.replace(file)
        return name


def main() -> None:
    """Serve until SIGTERM, mirroring."""
    parser = argparse.ArgumentParser(prog="python -m local_stack.s3", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mirror", type=Path, required=True, help="folder that keeps the objects")
    parser.add_argument("--bucket", required=True, help="made when it is missing")
    options = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    serve(options.port, options.mirror, options.bucket, stopping)


def serve(port: int, folder: Path, bucket: str, stopping: threading.Event) -> None:
    """Restore, serve and mirror until `stopping` is set; the last copy is made when no request is served any more."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for every request
    backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
    mirror = Mirror.of(folder, backend)
    mirror.restore()
    if bucket not in backend.buckets:
        backend.create_bucket(bucket, REGION)
    server = ThreadedMotoServer(LOOPBACK, port, verbose=False)
    server.start()
    while not stopping.wait(MIRROR_SECONDS):
        mirror.save()
    server.stop()
    mirror.save()


if __name__ == "__main__":
    main()
