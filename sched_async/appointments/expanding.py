"""Runs ``derive`` so that nobody waits for it: what may take long, in a thread, for a while.

A rule can be such that no library comes to an end with it.  Its thread is told to stop, which
Python's own code does between two of its steps.
"""

import asyncio
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from ..errors import RefusedError
from ..ics import derive as pure
from ..ics.derive import Derived
from ..times import now

SECONDS = 2.0
SHORT = 20_000  # characters that are derived at once: in less time than a thread takes
TOO_LONG = "Its rule of repetition takes too long to follow."
Result = TypeVar("Result")


class TooLongError(BaseException):
    """Raised inside of the thread."""


async def derived(text: str, moment: datetime | None = None) -> Derived:
    """``derive`` by the clock of now; RefusedError also where it takes too long."""
    work = partial(pure.derive, text, moment or now())
    repeats = any(name in text.upper() for name in ("RRULE", "RDATE", "BEGIN:VTIMEZONE"))
    if len(text) <= SHORT and not repeats:
        return work()
    return await in_thread(work)


async def later(text: str, after: datetime, until: datetime) -> list[dict[str, Any]]:
    return await in_thread(partial(pure.later, text, after, until, now()))


async def in_thread(work: Callable[[], Result], seconds: float = SECONDS) -> Result:
    """What ``work`` gives, if it does within its time; else RefusedError."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()

    def tell(result: Any, error: BaseException | None) -> None:
        if not future.done():
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

    def run() -> None:
        with suppress(TooLongError, RuntimeError):  # nobody waits any more, or the loop is closed
            try:
                result = work()
            except Exception as error:
                loop.call_soon_threadsafe(tell, None, error)
            else:
                loop.call_soon_threadsafe(tell, result, None)

    thread = threading.Thread(target=run, name="deriving", daemon=True)
    thread.start()
    try:
        return await asyncio.wait_for(asyncio.shield(future), seconds)
    except TimeoutError:
        raise RefusedError(TOO_LONG) from None
    finally:
        if not future.done():
            future.cancel()
            _stop(thread)


def _stop(thread: threading.Thread) -> None:
    if thread.ident is not None and thread.is_alive():
        number, error = ctypes.c_ulong(thread.ident), ctypes.py_object(TooLongError)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(number, error)
