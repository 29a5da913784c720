"""A database, the app on it, and the people in the tests.

Each test finds an empty, migrated database, commits for real and shares nothing, but does
not pay for all of it again: a blank SQLite file is made once and copied, a PostgreSQL
database is made once and emptied, an app is made once for its settings and served again.

Most tests run on SQLite alone.  What writes in a way of its own, locks, compares, sorts
or races is marked ``databases("sqlite", "postgresql")`` and runs on both.

Each person keeps one role: Alice owns things, Mallory must never see them.
"""

import asyncio
import itertools
import os
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import hypothesis
import pytest
from argon2 import PasswordHasher
from quart import Quart
from quart.testing import QuartClient
from sqlalchemy import Connection, Engine, event

from sched_async import config, database, lifespan
from sched_async.accounts import passwords
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.models import User
from sched_async.testing import Client, signed_in

from .servers import (
    create_database,
    drop_database,
    empty_database,
    find_postgresql,
    postgresql_server,
    unavailable,
)

# The same examples each time: a run is green or red by what was changed, not by chance.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None)
hypothesis.settings.load_profile("suite")

SECRET_KEY = "zT4-mW9_kQ2-xB7_hN5-rJ8_cV3-pL6_gD1"
ALICE_PASSWORD = "nine teal kayaks under plaster"
MALLORY_PASSWORD = "burnt ochre goose on a ladder"
ALICE = {
    "name": "Alice",
    "email": "alice@example.org",
    "password": ALICE_PASSWORD,
    "timezone": "Europe/Berlin",
}

CHEAP_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
MEMORY = Path("/dev/shm")
OWN_SETTINGS = {"DATA_DIR", "DATABASE_URL"}  # what differs from test to test


class CompiledCache(dict[Any, Any]):
    """Statements as SQL, for all engines of a kind: the dialect comes first in a key."""

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


compiled: defaultdict[str, CompiledCache] = defaultdict(CompiledCache)
copies = itertools.count(1)
apps: dict[str, tuple[Quart, dict[str, Any]]] = {}


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a quarter of the time a test waits for a process."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--screenshots",
        type=Path,
        metavar="DIR",
        help="photograph every page into DIR, and the README's docs/screenshot.png",
    )
    parser.addoption(
        "--postgresql",
        action="store_true",
        help="run the tests that need only one database on PostgreSQL instead of SQLite",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on each of the databases that its marker names."""
    marker = metafunc.definition.get_closest_marker("databases")
    if marker and "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", marker.args, indirect=True)


@event.listens_for(Engine, "engine_connect")
def share_compiled(connection: Connection) -> None:
    """To compile the same statements for each test's engines took a tenth of the time."""
    connection.engine._compiled_cache = compiled[connection.dialect.name]


@pytest.fixture
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database that this test runs on: sqlite or postgresql."""
    usual = "postgresql" if request.config.getoption("--postgresql") else "sqlite"
    return cast(str, getattr(request, "param", usual))


@pytest.fixture(scope="session")
def memory() -> Iterator[Path]:
    """A folder where a commit does not wait for the disk, if there is one."""
    with TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as name:
        yield Path(name)


@pytest.fixture(scope="session")
def blank_sqlite(memory: Path) -> Path:
    path = memory / "blank.db"
    asyncio.run(database.upgrade(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def alices_sqlite(blank_sqlite: Path) -> Path:
    """A SQLite file to copy, in which Alice has an account."""
    folder = blank_sqlite.parent / "alice"
    folder.mkdir()
    path = Path(shutil.copy(blank_sqlite, folder / "sched.db"))
    asyncio.run(add_alice({"DATA_DIR": folder}))
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a private PostgreSQL server, started for the first test that asks."""
    if find_postgresql() is None:
        unavailable("no PostgreSQL server is installed")
    with postgresql_server() as server:
        yield server


@pytest.fixture(scope="session")
def blank_postgresql(postgresql: str) -> str:
    """The name of a database to copy."""

    async def make() -> None:
        await database.upgrade(await create_database(postgresql, "blank"))

    asyncio.run(make())
    return "blank"


@pytest.fixture(scope="session")
def emptied_postgresql(postgresql: str, blank_postgresql: str) -> str:
    """The address of the database that is emptied for each test."""
    return asyncio.run(create_database(postgresql, "emptied", blank_postgresql))


@pytest.fixture
def sqlite_url(blank_sqlite: Path) -> Iterator[str]:
    with TemporaryDirectory(dir=blank_sqlite.parent) as folder:
        yield f"sqlite+aiosqlite:///{shutil.copy(blank_sqlite, Path(folder) / 'sched.db')}"


@pytest.fixture
async def postgresql_url(emptied_postgresql: str) -> str:
    await empty_database(emptied_postgresql)
    return emptied_postgresql


@pytest.fixture
async def own_postgresql_url(postgresql: str, blank_postgresql: str) -> AsyncIterator[str]:
    name = f"test_{next(copies)}"
    yield await create_database(postgresql, name, blank_postgresql)
    await drop_database(postgresql, name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    """The address of a database, migrated and empty.

    A test that alters tables, or asks PostgreSQL for its plans, is marked ``own_database``.
    """
    is_own = backend == "postgresql" and request.node.get_closest_marker("own_database")
    return cast(str, request.getfixturevalue(f"{'own_' if is_own else ''}{backend}_url"))


@pytest.fixture
async def empty_url(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[str]:
    """The address of a database without any table."""
    if backend == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/empty.db"
        return
    server = cast(str, request.getfixturevalue("postgresql"))
    yield await create_database(server, "empty")
    await drop_database(server, "empty")


@pytest.fixture
def settings(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The app's settings, with those that the test is marked with."""
    settings = {
        "SECRET_KEY": SECRET_KEY,
        "DATA_DIR": tmp_path,
        "DATABASE_URL": database_url,
        "PUBLIC_URL": "http://localhost",
    }
    for marker in reversed(list(request.node.iter_markers("settings"))):
        settings |= marker.kwargs
    return settings


@pytest.fixture(autouse=True)
def hashing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cheap, but for tests of hashing and of time, which are marked ``real_hashing``."""
    if not request.node.get_closest_marker("real_hashing"):
        monkeypatch.setattr(passwords, "hasher", CHEAP_HASHER)


async def add_alice(settings: Mapping[str, Any]) -> None:
    """Her account, in the database that these settings name."""
    async with lifespan.working(create_app(settings)):
        await create_account(**ALICE)


def made_once(settings: Mapping[str, Any]) -> Quart:
    """An app by these settings: as new, although another test may have had it before."""
    key = repr(
        sorted((name, value) for name, value in settings.items() if name not in OWN_SETTINGS)
    )
    if key not in apps:
        app = create_app(settings)
        apps[key] = app, dict(app.config)
    app, fresh = apps[key]
    app.config.clear()
    app.config.update(fresh | config.load(settings))
    app.while_serving_gens.clear()  # serving has used it up
    lifespan.init_app(app)
    return app


@pytest.fixture
async def app(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """The app, served.  A test that adds views has to make one of its own."""
    app = made_once(settings)
    views, rules = app.view_functions.copy(), list(app.url_map.iter_rules())
    async with app.test_app():
        yield app
    app.view_functions.update(views)
    assert list(app.url_map.iter_rules()) == rules


@pytest.fixture
def client(app: Quart) -> QuartClient:
    """A browser in which nobody is signed in."""
    return QuartClient(app)


@pytest.fixture
async def alice(app: Quart) -> User:
    async with app.app_context():
        return await create_account(**ALICE)


@pytest.fixture
async def hers(app: Quart, alice: User) -> Client:
    """Alice's browser, in which she is signed in."""
    return await signed_in(app, alice.email)


@pytest.fixture
async def mallory(app: Quart) -> User:
    async with app.app_context():
        return await create_account(
            name="Mallory",
            email="mallory@example.org",
            password=MALLORY_PASSWORD,
            timezone="America/New_York",
        )
