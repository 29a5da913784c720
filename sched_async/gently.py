"""Work in a thread that leaves Python's lock to the event loop.

Python takes the lock from a thread that computes only after five milliseconds, and a page needs
it several times.  Work that rests again and again, twice as long as it has worked, takes three
times as long and is hardly noticed.
"""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

A_WHILE = 0.0005  # seconds
REST = 2  # times as long as it has worked
One = TypeVar("One")


def gently(items: Iterable[One]) -> Iterator[One]:
    """Goes over them, for a loop that works on each; never in the event loop's own thread."""
    begun = time.thread_time()
    for one in items:
        yield one
        worked = time.thread_time() - begun
        if worked >= A_WHILE:
            time.sleep(REST * worked)
            begun = time.thread_time()
