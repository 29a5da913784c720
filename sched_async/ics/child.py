"""The process that reads a foreign file: its bytes come in, a line of JSON for each appointment
goes out.

It has the lowest priority, and the system limits its time and its memory, so that no file can
hold up whoever is served meanwhile: one that computes beside the event loop would.

It is started by its path, ``python -P sched_async/ics/child.py``, and makes no application: the
module of the package would, which takes most of a second and ninety megabytes.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
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
from sched_async.times import now

SECONDS = 30  # of the processor
MEMORY = 512 * 1024 * 1024  # bytes of addresses, of which Python alone takes a good part
FOR_ONE = 2.0  # seconds of the processor
TOO_LONG = "Its rule of repetition takes too long to follow."


class TooLongError(Exception):
    """Raised by the clock, in the middle of whatever is done."""


def main() -> None:
    os.nice(19)
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGVTALRM, _ring)
    summary = Summary()
    try:
        for one in foreign.found(sys.stdin.buffer.read(), now(), summary, within=_within):
            _say(_as_row(one))
        _say({"name": summary.name, "others": summary.others})
    except RefusedError as refused:
        _say({"error": str(refused)})
    except MemoryError:
        _say({"error": "This file takes too much memory to read."})


def _within(work: Callable[[], None]) -> None:
    """Each has its own time; one that takes too long is refused, and the others go on."""
    signal.setitimer(signal.ITIMER_VIRTUAL, FOR_ONE)
    try:
        work()
    except TooLongError:
        raise RefusedError(TOO_LONG) from None
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _ring(number: int, frame: Any) -> None:
    raise TooLongError


def _as_row(one: Found) -> dict[str, Any]:
    row = {name: value for name, value in vars(one).items() if name != "made"}
    if one.made is not None:
        row["made"] = asdict(one.made) | {"zones": sorted(one.made.zones)}
    return row


def _say(row: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(row, default=_plain)}\n")


def _plain(value: datetime) -> dict[str, str]:
    return {"time": value.isoformat()}


if __name__ == "__main__":
    main()
