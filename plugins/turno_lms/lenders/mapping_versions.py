"""Every version of a lender's mapping that was ever in use, kept so that a file can be read as it was then."""

from pydantic import ValidationError

from turno_lms.lenders.schema import Lender
from turno_lms.warehouse.connection import Row, WarehouseConnection

_KEEP = """
insert into core.core_lender_mapping (lender, mapping_version, content) values (%s, %s, %s)
on conflict (lender, mapping_version) do nothing
"""
_READ = """
select content from core.core_lender_mapping where lender = %s and mapping_version = %s
"""
_LIST = """
select mapping_version, kept_at from core.core_lender_mapping where lender = %s order by kept_at desc, mapping_version
"""


class MappingVersionError(LookupError):
    """A mapping version that is not kept, or that this version of the program cannot read."""


def keep(conn: WarehouseConnection, lender: Lender) -> bool:
    """Keep the mapping as it is now, in the caller's transaction; tells whether it is new."""
    values = (lender.slug, lender.mapping_version, lender.canonical_content)
    return conn.execute(_KEEP, values).rowcount > 0


def read(conn: WarehouseConnection, slug: str, version: str) -> Lender:
    """A lender as one of its mapping versions had it. Raises MappingVersionError."""
    found = conn.execute(_READ, (slug, version)).fetchone()
    if found is None:
        known = ", ".join(row["mapping_version"] for row in kept(conn, slug)) or "none"
        raise MappingVersionError(f"{slug} has no mapping version {version}; kept are {known}")
    try:
        # not strict: JSON has no dates; the version below proves that nothing else was converted
        lender = Lender.model_validate(found["content"], strict=False)
    except ValidationError as error:
        raise MappingVersionError(
            f"mapping version {version} of {slug} is not in the language of today: {error}"
        ) from error
    if lender.mapping_version != version:
        raise MappingVersionError(
            f"mapping version {version} of {slug} reads as {lender.mapping_version} today"
        )
    return lender


def kept(conn: WarehouseConnection, slug: str) -> list[Row]:
    """The versions of a lender's mapping, newest first, and since when each is kept."""
    return conn.execute(_LIST, (slug,)).fetchall()
