"""A fresh, migrated database for each test, the app on it, and the people in the tests.

A blank database is migrated once a run and copied for each test, so tests commit for
real and share nothing.  A test that asks for the app runs twice: on SQLite and on
PostgreSQL (``-k sqlite`` and ``-k postgresql`` choose).

Each person keeps one role: Alice owns things, Mallory must never see them.
"""

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async import database
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.models import User

from .servers import create_database, drop_database, find_postgresql, postgresql_server, unavailable

SECRET_KEY = "zT4-mW9_kQ2-xB7_hN5-rJ8_cV3-pL6_gD1"
ALICE_PASSWORD = "nine teal kayaks under plaster"
MALLORY_PASSWORD = "burnt ochre goose on a ladder"

copies = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        type=Path,
        metavar="DIR",
        help="photograph every page into DIR, and the README's docs/screenshot.png",
    )


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a private PostgreSQL server, started for the first test that asks."""
    if find_postgresql() is None:
        unavailable("no PostgreSQL server is installed")
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def blank_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("blank") / "sched.db"
    asyncio.run(database.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def blank_postgresql(postgresql: str) -> str:
    async def make() -> None:
        await database.upgrade(await create_database(postgresql, "blank"))

    asyncio.run(make())
    return "blank"


@pytest.fixture(params=["sqlite", "postgresql"])
def blank_database(request: pytest.FixtureRequest) -> Path | str:
    """What to copy: a file, or the name of a template on the PostgreSQL server."""
    return cast(Path | str, request.getfixturevalue(f"blank_{request.param}"))


@pytest.fixture
async def database_url(
    blank_database: Path | str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The address of this test's own database, migrated and empty."""
    if isinstance(blank_database, Path):
        yield f"sqlite+aiosqlite:///{shutil.copy(blank_database, tmp_path)}"
        return
    server = cast(str, request.getfixturevalue("postgresql"))
    name = f"test_{next(copies)}"
    yield await create_database(server, name, blank_database)
    await drop_database(server, name)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> dict[str, Any]:
    return {
        "SECRET_KEY": SECRET_KEY,
        "DATA_DIR": tmp_path,
        "DATABASE_URL": database_url,
        "PUBLIC_URL": "http://localhost",
    }


@pytest.fixture
async def app(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    app = create_app(settings)
    async with app.test_app():
        yield app


@pytest.fixture
def client(app: Quart) -> QuartClient:
    """A browser in which nobody is signed in."""
    return QuartClient(app)


@pytest.fixture
async def alice(app: Quart) -> User:
    async with app.app_context():
        return await create_account(
            name="Alice",
            email="alice@example.org",
            password=ALICE_PASSWORD,
            timezone="Europe/Berlin",
        )


@pytest.fixture
async def mallory(app: Quart) -> User:
    async with app.app_context():
        return await create_account(
            name="Mallory",
            email="mallory@example.org",
            password=MALLORY_PASSWORD,
            timezone="America/New_York",
        )
