"""What sample data is made of: objects for the bucket, and mandates for the UMRN master."""

from dataclasses import dataclass
from datetime import date

Line = dict[str, str]
"""A line of a sample file, by heading. A line that lacks its last headings is cut off there."""


@dataclass(frozen=True)
class SampleFile:
    """An object to be put in the bucket."""

    key: str
    body: bytes

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True)
class Mandate:
    """A line of the UMRN master. `valid_to` is the last day; None while the mandate lasts."""

    umrn: str
    loan_id: str
    lender: str
    valid_from: date
    valid_to: date | None = None
