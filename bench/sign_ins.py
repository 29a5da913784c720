"""Fifty people sign in at once while somebody else looks at their appointments.

python -m bench.sign_ins
"""

import asyncio
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.browser import Browser
from bench.figures import percentiles
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.lifespan import working
from tests.servers import hypercorn_server

AT_ONCE = 50
EMAILS = [f"person{number}@example.org" for number in range(AT_ONCE)]
ADA = "ada@example.org"
PASSWORD = "seven quiet otters in the rain"
ALONE_SECONDS = 2
BUSY_SECONDS = 8


@dataclass
class Measured:
    """What one phase showed."""

    pages: list[float] = field(default_factory=list)
    sign_ins: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


async def look(browser: Browser, until: float, measured: Measured) -> None:
    """Ask for the appointments, one page after another, with a breath in between."""
    while time.perf_counter() < until:
        started = time.perf_counter()
        answer = await browser.get("/appointments/")
        measured.pages.append(time.perf_counter() - started)
        assert answer.status == 200
        await asyncio.sleep(0.01)


async def add_people(folder: Path) -> None:
    app = create_app({"DATA_DIR": folder})
    async with working(app, make=True):
        for email in (ADA, *EMAILS):
            who = {"name": "Ada", "email": email, "timezone": "Europe/Berlin"}
            await create_account(password=PASSWORD, **who)


async def sign_in_again_and_again(
    browser: Browser, email: str, until: float, measured: Measured
) -> None:
    """Each time as if in a new browser; whoever is turned away as busy waits a little."""
    while time.perf_counter() < until:
        form = await browser.form("/login/") | {"username": email, "password": PASSWORD}
        started = time.perf_counter()
        answer = await browser.post("/login/", form)
        browser.cookies.clear()
        measured.statuses[answer.status] += 1
        if answer.status == 303:
            measured.sign_ins.append(time.perf_counter() - started)
        else:
            await asyncio.sleep(1)


async def measure(port: int) -> tuple[Measured, Measured]:
    alone, busy = Measured(), Measured()
    async with AsyncExitStack() as opened:
        ada, *others = [await opened.enter_async_context(Browser(port)) for _ in range(1 + AT_ONCE)]
        await ada.sign_in(ADA, PASSWORD)
        await look(ada, time.perf_counter() + ALONE_SECONDS, alone)
        until = time.perf_counter() + BUSY_SECONDS
        pairs = zip(others, EMAILS, strict=True)
        work = (sign_in_again_and_again(browser, email, until, busy) for browser, email in pairs)
        await asyncio.gather(look(ada, until, busy), *work)
    return alone, busy


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(add_people(Path(name)))
        with hypercorn_server({"SCHED_DATA_DIR": name}) as server:
            alone, busy = asyncio.run(measure(server.port))
    print("pages, nobody signs in: ", percentiles(alone.pages))
    print(f"pages, {AT_ONCE} sign in:     ", percentiles(busy.pages))
    print("sign-ins that were good:", percentiles(busy.sign_ins))
    print("sign-ins by status:", dict(busy.statuses), f"in {BUSY_SECONDS} s")


if __name__ == "__main__":
    main()
