"""The process that reads a foreign file: its bytes come in, a line of JSON for each appointment
goes out.

It has the lowest priority, and the system limits its time and its memory, so that no file can
hold up whoever is served meanwhile: one that computes beside the event loop would.

It is started by its path, ``python -P sched_async/ics/child.py``, and makes no application: the
module of the package would, which takes most of a second and ninety megabytes.
"""

import gc
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

if __name__ == "__main__":
    package = ModuleType("sched_async")
    package.__path__ = [str(Path(__file__).parents[1])]
    sys.modules["sched_async"] = package

from sched_async.errors import RefusedError
from sched_async.ics import foreign
from sched_async.ics.foreign import Found, Summary
from sched_async.ics.rows import line_of
from sched_async.times import now

SECONDS = 30  # of the processor
MEMORY = 160 * 1024 * 1024  # bytes of addresses, of which at most a hundred million are in use
FOR_ONE = 0.3  # seconds of the processor
TOO_LONG = "Its rule of repetition takes too long to follow."
TOO_LONG_IN_ALL = "This file takes too long to read."


class TooLongError(BaseException):
    """Raised by the clock, in the middle of whatever is done; nothing there must stop it."""


class Patience:
    """How long a file may take: by what is in it several times what an honest one needs.

    One that costs more is refused soon, also if each of its appointments is within its limits.
    """

    AT_FIRST = 0.9  # seconds of the processor, as all of these
    A_MEGABYTE = 0.08
    AN_APPOINTMENT = 0.0014
    A_DATE = 0.000005

    def __init__(self, size: int) -> None:
        self.left = self.AT_FIRST + self.A_MEGABYTE * size / 1_000_000

    def within(self, work: Callable[[], None]) -> None:
        """Each has its own time; one that takes too long is refused, and the others go on."""
        signal.setitimer(signal.ITIMER_VIRTUAL, FOR_ONE)
        try:
            work()
        except TooLongError:
            raise RefusedError(TOO_LONG) from None
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)

    def check(self, one: Found) -> None:
        self.left += self.AN_APPOINTMENT
        self.left += self.A_DATE * len(one.made.occurrences) if one.made else 0
        if time.process_time() > self.left:
            raise RefusedError(TOO_LONG_IN_ALL)


def main() -> None:
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _ring)
    gc.freeze()
    gc.set_threshold(100_000)  # hardly anything here is in a circle
    try:
        _read(sys.stdin.buffer.read())
    except RefusedError as refused:
        _say({"error": str(refused)})
    except MemoryError:
        _say({"error": "This file takes too much memory to read."})


def _read(data: bytes) -> None:
    summary, patience = Summary(), Patience(len(data))
    for one in foreign.found(data, now(), summary, patience.within):
        patience.check(one)
        sys.stdout.write(f"{line_of(one)}\n")
    _say(vars(summary))


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(row)}\n")


def _ring(number: int, frame: Any) -> None:
    raise TooLongError


if __name__ == "__main__":
    main()
