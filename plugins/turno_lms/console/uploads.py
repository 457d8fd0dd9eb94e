"""Files that people bring in their browser: looked at, or handed in where the lender's own files arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.datastructures import FormData, UploadFile
from starlette_admin.exceptions import ActionFailed

from turno_lms.console.body_limit import MOST_BYTES
from turno_lms.ingestion.files import FilePlace, places_of
from turno_lms.ingestion.hand_in import HandInError, hand_in
from turno_lms.lenders.registry import mapping_files, mappings_directory, read_lenders
from turno_lms.orchestration.connections import bucket, s3_client


@dataclass(frozen=True)
class Upload:
    """A file as the browser sent it. The name is the person's: nothing here trusts it."""

    name: str
    content: bytes

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """The file in a folder of its own, under its name's last part."""
        with TemporaryDirectory(prefix="turno-") as folder:
            name = self.name.replace("\\", "/").rpartition("/")[2].replace("\0", "")[-100:]
            path = Path(folder) / (name if name.strip(". ") else "sample")
            path.write_bytes(self.content)
            yield path


async def upload_of(form: FormData) -> Upload:
    """The file of a form's field `file`. Raises ActionFailed where there is none, an empty one or too large a one."""
    given = form.get("file")
    if not isinstance(given, UploadFile) or not given.filename:
        raise ActionFailed("Choose a file first.")
    content = await given.read()
    if not content:
        raise ActionFailed(f"{given.filename} is empty.")
    if len(content) > MOST_BYTES:
        raise ActionFailed(
            f"{given.filename} is larger than {MOST_BYTES // 1_000_000} MB: put it into the bucket."
        )
    return Upload(given.filename, content)


def all_places() -> dict[str, FilePlace]:
    """Where files of every lender arrive, by `lender.kind`."""
    return _places_in(tuple((path, path.stat().st_mtime_ns) for path in mapping_files(mappings_directory())))


@lru_cache(maxsize=1)
def _places_in(_files: tuple[tuple[Path, int], ...]) -> dict[str, FilePlace]:
    """Read once until a mapping changes: hundreds of them take longer than a page may."""
    lenders, _problems = read_lenders()
    places = [place for lender in lenders.values() for place in places_of(lender)]
    return {f"{place.lender}.{place.kind}": place for place in places}


def take(upload: Upload, place: FilePlace, person: str) -> str:
    """Hand a file in under its place's prefix; returns its key. Raises ActionFailed with the reason."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return hand_in(s3_client(), bucket(), place, upload.name, upload.content, person=person)
    except HandInError as refused:
        raise ActionFailed(f"Not taken: {refused}.") from None
    except (BotoCoreError, ClientError) as broken:
        raise ActionFailed(f"The bucket did not take the file, nothing was started: {broken}") from None
