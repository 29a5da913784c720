"""Chromium, and servers for it to visit, each with a SQLite database of its own."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from ..servers import WebServer, free_port, hypercorn_server, unavailable
from .visitor import HEIGHT, USUAL, Visitor, Window

NAMED_HOST = "sched.test"
SCREENSHOTS = Path(__file__).with_name("test_screenshots.py")
ONLY_IN_CI = [
    Path(__file__).with_name(f"test_{name}.py") for name in ("calendars", "print", "series")
]
ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {NAMED_HOST} 127.0.0.1",
]


OpenWindow = Callable[..., AbstractAsyncContextManager[Visitor]]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Without a folder for them, screenshots are not even a skipped test.

    One journey through the calendar is enough while one works; CI makes the others as well.
    """
    if collection_path == SCREENSHOTS and config.getoption("--screenshots") is None:
        return True
    if collection_path in ONLY_IN_CI and not os.environ.get("CI"):
        return True
    return None


@pytest.fixture(scope="session")
def chromium() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    return found or unavailable("no Chromium is installed")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    # Chromium's sandbox does not start for root.
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture
def open_window(browser: Browser, request: pytest.FixtureRequest) -> OpenWindow:
    """Opens a browser window with nothing in it: no cookies, no history."""
    folder: Path | None = request.config.getoption("--screenshots")
    test = request.function.__name__.removeprefix("test_")

    @asynccontextmanager
    async def opened(base_url: str, window: Window = USUAL) -> AsyncIterator[Visitor]:
        photos = None if folder is None else folder / test
        context = await browser.new_context(
            viewport={"width": window.width, "height": HEIGHT},
            color_scheme=window.scheme,
            reduced_motion="reduce",  # colours are measured, and must not be on their way
            java_script_enabled=window.script,
            locale="en-GB",
            timezone_id="Europe/Berlin",
        )
        try:
            page = await context.new_page()
            page.set_default_timeout(10_000)
            yield Visitor(page, base_url, window, photos)
        finally:
            await context.close()

    return opened


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[WebServer]:
    """A server at its first start: nobody has an account."""
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        yield server


@pytest.fixture(scope="session")
def alices_server(
    alices_sqlite: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WebServer]:
    """A server where Alice has an account; tests share it, and leave no appointments."""
    folder = tmp_path_factory.mktemp("alice")
    shutil.copy(alices_sqlite, folder)
    with hypercorn_server({"SCHED_DATA_DIR": str(folder)}) as server:
        yield server


@pytest.fixture
def named_server(alices_sqlite: Path, tmp_path: Path) -> Iterator[WebServer]:
    """Alice's account on a server that people reach by a name, without TLS."""
    shutil.copy(alices_sqlite, tmp_path)
    port = free_port()
    url = f"http://{NAMED_HOST}:{port}"
    environment = {"SCHED_DATA_DIR": str(tmp_path), "SCHED_PUBLIC_URL": url}
    with hypercorn_server(environment, port=port) as server:
        server.url = url
        yield server
