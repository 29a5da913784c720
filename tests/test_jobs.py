"""Work that is nobody's request."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from sched_async.app import create_app
from sched_async.jobs import add_job


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
