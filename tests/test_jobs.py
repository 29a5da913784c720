"""Work that is nobody's request."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from sched_async.app import create_app
from sched_async.jobs import add_job, running


async def test_a_job_that_fails_is_logged_and_tried_again(
    settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app, failed, done = create_app(settings), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        if failed.is_set():
            done.set()
        else:
            failed.set()
            raise RuntimeError

    job = add_job(app, work, timedelta(hours=1), at_start=True)
    async with app.test_app(), asyncio.timeout(20):
        await failed.wait()
        job.wake()
        await done.wait()
    assert "work failed" in caplog.text


async def test_a_job_that_loses_a_cancellation_ends_with_the_serving_all_the_same() -> None:
    """Python 3.11 loses one that comes when a wait has just ended."""
    app, began = Quart(__name__), asyncio.Event()

    async def work() -> None:
        began.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    add_job(app, work, timedelta(hours=1), at_start=True)
    async with asyncio.timeout(10), running(app):
        await began.wait()
