"""How patient posting is. Times are in seconds."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class PostingSettings:
    """The defaults suit a Fineract that answers within its usual minute; tests shorten them.

    At most `threads` calls are in flight; `spare_threads` more store what came back while those call. A lease lasts
    `lease_calls` times as long as a call may take, so that a wait for its turn, a look-up and a call fit in; `settling`
    is how long a command whose answer was lost may still run in Fineract.
    """

    threads: int = 8
    spare_threads: int = 2
    wait_limit: float = 900.0  # one chunk's patience with Fineract being down, and with each loan
    lease_calls: float = 3.0
    settling: float = 90.0
    most_tries: int = 12
    first_wait: float = 5.0
    longest_wait: float = 300.0
    not_yet_wait: float = 1800.0  # until Fineract's business date may have moved on
    stopped_wait: float = 1800.0  # until what is unknown is looked up again while its channel is stopped
    lease_wait: float = 3.0
    progress_every: float = 5.0

    def backoff(self, tries: int) -> float:
        """The wait after the n-th try: doubling up to the longest, and up to half of it less at random."""
        longest = min(self.longest_wait, self.first_wait * 2.0 ** min(tries - 1, 20))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreads load, guards nothing
