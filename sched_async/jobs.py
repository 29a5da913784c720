"""Work that is nobody's request: each job runs soon after the start, then again and again.

A job that fails is logged and tried again next time; at stop a running one is cancelled,
and whatever it had not committed is rolled back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from quart import Quart

FIRST = timedelta(minutes=1)  # what can wait leaves the start to those who ask for pages
AGAIN = 0.5  # seconds after which a job that has not ended is told once more
log = logging.getLogger("sched_async.background")


class Job:
    """One job and its rhythm; ``wake`` makes it run as soon as it can."""

    def __init__(
        self, work: Callable[[], Awaitable[None]], every: timedelta, at_start: bool
    ) -> None:
        self.work = work
        self.every = every
        self.at_start = at_start
        self.woken = asyncio.Event()

    def wake(self) -> None:
        self.woken.set()

    async def run(self, app: Quart) -> None:
        if not self.at_start:
            await self._wait(FIRST)
        while True:
            self.woken.clear()
            try:
                async with app.app_context():
                    await self.work()
            except Exception:
                log.exception("%s failed", self.work.__qualname__)
            await self._wait(self.every)

    async def _wait(self, span: timedelta) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.woken.wait(), span.total_seconds())


def add_job(
    app: Quart,
    work: Callable[[], Awaitable[None]],
    every: timedelta,
    *,
    at_start: bool = False,
) -> Job:
    """Have ``work`` run in the app's context while it is served."""
    job = Job(work, every, at_start)
    app.extensions.setdefault("jobs", []).append(job)
    return job


@asynccontextmanager
async def running(app: Quart) -> AsyncIterator[None]:
    """All jobs of the app, for as long as it serves."""
    jobs: list[Job] = app.extensions.get("jobs", [])
    for job in jobs:
        job.woken = asyncio.Event()  # of the loop that serves now
    tasks = [asyncio.create_task(job.run(app)) for job in jobs]
    try:
        yield
    finally:
        await _stop(tasks)


async def _stop(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel until all have ended: Python 3.11 loses a cancellation at the end of a wait."""
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=AGAIN)
