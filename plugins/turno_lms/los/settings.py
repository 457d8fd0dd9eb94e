"""The runner's patience. Seconds, unless a name says otherwise."""

from dataclasses import dataclass
from random import random


@dataclass(frozen=True)
class LosSettings:
    """`threads` clients or loans are worked on at once; a lease lasts `lease_calls` of the longest call."""

    threads: int = 4
    lease_calls: float = 4.0
    most_tries: int = 8
    first_wait: float = 2.0
    shortest_wait: float = 1.0
    """Between two passes: a row may be in another worker's hands."""
    longest_wait: float = 300.0
    patience: float = 120.0
    """How long a run waits for rows that may be tried again soon; the next run takes the rest."""

    def backoff(self, tries: int) -> float:
        """Seconds before the next try, growing with the tries and spread."""
        longest_wait = min(self.first_wait * 2**tries, self.longest_wait)
        return float(longest_wait * (0.5 + random() / 2))  # noqa: S311  # a wait needs no cryptography
