"""How long to wait before something is tried again: twice as long each time, and not all at once.

https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

import random
from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=10)
MOST: Final = timedelta(hours=6)
JITTER: Final = 0.25


def delay(attempt: int, first: timedelta = FIRST, most: timedelta = MOST) -> timedelta:
    """The wait after attempt `attempt` (0 is the first one): first x 2^attempt up to `most`, a quarter more or less."""
    # A float of many attempts has no end, a timedelta has.
    doubled = most if attempt >= 30 else min(first * 2**attempt, most)
    return doubled * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311  # spreads load, guards nothing
