"""From start to stop: what is made, what is locked, what is said, and what is refused."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.errors import StartupError
from sched_async.lifespan import prepare
from sched_async.testing import signed_in

from .conftest import ALICE_PASSWORD, SECRET_KEY
from .pages import cookie, is_signed_in, text
from .servers import ROOT, free_port, hypercorn_server

LINK = re.compile(
    r"Create the first account \(link valid for one hour\): (http://localhost/setup/[\w-]{43}/)\n"
)
AT = "Running at http://localhost/\n"

only_postgresql = pytest.mark.databases("postgresql")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def app_in(folder: Path, **settings: Any) -> Quart:
    """The app with nothing but a data folder, as on somebody's first day."""
    return create_app({"DATA_DIR": folder, "PUBLIC_URL": "http://localhost", **settings})


async def add_alice(app: Quart) -> None:
    async with app.app_context():
        await create_account(
            name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
        )


# The data folder and the key


async def test_the_first_start_makes_a_folder_that_nobody_else_can_enter(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    app = app_in(folder)
    assert list_of(tmp_path) == []
    async with app.test_app():
        assert mode(folder) == 0o700
        assert mode(folder / "secret_key") == 0o600
        assert {"sched.db", "sched.db.lock", "secret_key"} <= set(list_of(folder))


def list_of(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_the_key_is_made_once_so_a_restart_signs_nobody_out(tmp_path: Path) -> None:
    first = app_in(tmp_path)
    async with first.test_app():
        await add_alice(first)
        value = cookie(await signed_in(first, "alice@example.org"))
    second = app_in(tmp_path)
    async with second.test_app():
        client = QuartClient(second)
        client.set_cookie("localhost", "sched_login", value or "")
        assert await is_signed_in(client)
    assert first.secret_key == second.secret_key
    assert len(str(first.secret_key)) == 64


async def test_a_key_that_is_set_is_used_and_none_is_made(tmp_path: Path) -> None:
    app = app_in(tmp_path, SECRET_KEY=SECRET_KEY)
    async with app.test_app():
        assert app.secret_key == SECRET_KEY
    assert "secret_key" not in list_of(tmp_path)


def test_everybody_who_starts_at_once_has_the_same_key(tmp_path: Path) -> None:
    """Several nodes over one folder."""
    for number in range(5):
        apps = [app_in(tmp_path / str(number)) for _ in range(8)]
        start = threading.Barrier(len(apps))

        def run(app: Quart, start: threading.Barrier = start) -> object:
            start.wait()
            prepare(app)
            return app.secret_key

        with ThreadPoolExecutor(len(apps)) as threads:
            assert len(set(threads.map(run, apps))) == 1
        assert list_of(tmp_path / str(number)) == ["secret_key"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "must be at least 32 random characters"),
        (SECRET_KEY[:20].encode(), "must be at least 32 random characters"),
        (b"\0" * 64, "must be at least 32 random characters"),
        (SECRET_KEY.encode() + b"\xff", "is not text"),
        (b"changeme" * 8 + SECRET_KEY.encode(), "looks like an example; use random characters"),
    ],
    ids=["empty", "cut", "zeros", "no text", "an example"],
)
def test_a_damaged_key_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """A new one in its place would sign everybody out without a word."""
    path = tmp_path / "secret_key"
    path.write_bytes(content)
    with pytest.raises(StartupError) as refused:
        prepare(app_in(tmp_path))
    assert (
        str(refused.value)
        == f"The secret key in {path} {reason}; delete the file to have a new one created."
    )
    assert path.read_bytes() == content


async def test_a_key_that_somebody_wrote_by_hand_is_fine(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text(f"{SECRET_KEY}\n")
    app = app_in(tmp_path)
    async with app.test_app():
        await add_alice(app)
        assert await is_signed_in(await signed_in(app, "alice@example.org"))


# What is said


async def test_the_welcome_says_where_and_how_to_begin(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    async with create_app(settings).test_app():
        pass
    out, warnings = capsys.readouterr()
    assert out.startswith(AT)
    assert LINK.fullmatch(out.removeprefix(AT))
    assert warnings == ""


async def test_each_start_prints_a_new_link_while_there_is_no_account(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    links = []
    for _ in range(3):
        app = create_app(settings)
        async with app.test_app():
            found = LINK.search(capsys.readouterr().out)
            assert found
            links.append(found[1].removeprefix("http://localhost"))
            page = await text(await QuartClient(app).get(links[-1]))
            assert "Create the first account" in page
    assert len(set(links)) == 3


async def test_with_an_account_there_is_no_link(
    settings: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings)
    async with app.test_app():
        await add_alice(app)
    capsys.readouterr()
    async with create_app(settings).test_app():
        assert capsys.readouterr().out == AT


# What is refused


Start = Callable[..., str]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Starts a server that cannot start; returns the one line it ends with."""

    def start(**settings: object) -> str:
        options = ["-c", "hypercorn.toml", "-b", f"127.0.0.1:{free_port()}"]
        given = {"DATA_DIR": tmp_path, "SECRET_KEY": SECRET_KEY, **settings}
        ended = subprocess.run(
            [sys.executable, "-m", "hypercorn", *options, "sched_async:app"],
            cwd=ROOT,
            env={f"SCHED_{name}": str(value) for name, value in given.items()},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.startswith("sched_async: ")
        assert ended.stderr.count("\n") == 1
        return ended.stderr.removeprefix("sched_async: ").rstrip("\n")

    return start


def test_a_second_process_on_one_file_is_refused(start: Start, tmp_path: Path) -> None:
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        assert start() == (
            f"Another process is already serving {tmp_path}/sched.db. SQLite allows only one; "
            "to run several, use PostgreSQL (SCHED_DATABASE_URL)."
        )
        assert server.process.poll() is None
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        assert server.setup_link(), "once the first has ended there is room again"


def test_a_server_that_was_killed_is_in_nobodys_way(tmp_path: Path) -> None:
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        server.process.kill()
        server.process.wait()
        with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as next_one:
            assert next_one.process.poll() is None


@only_postgresql
async def test_two_processes_may_share_postgresql(settings: dict[str, Any]) -> None:
    one, other = create_app(settings), create_app(settings)
    async with one.test_app(), other.test_app():
        await add_alice(one)
        here = await signed_in(one, "alice@example.org")
        there = QuartClient(other)
        there.set_cookie("localhost", "sched_login", cookie(here) or "")
        assert await is_signed_in(there)
        assert (await here.post("/logout/")).status_code == 303
        assert not await is_signed_in(there)


def test_a_data_folder_that_cannot_be_one_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "folder"):
        said = start(DATA_DIR=folder, SECRET_KEY="")
        assert re.fullmatch(
            rf"The data folder {folder} cannot be used: (File exists|Not a directory)\.", said
        )


def test_a_key_file_that_cannot_be_read_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "secret_key").mkdir()
    said = start(SECRET_KEY="")
    assert str(tmp_path) in said
    assert "Is a directory" in said


def test_a_lock_that_cannot_be_written_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sched.db.lock").mkdir()
    assert start() == f"{tmp_path}/sched.db.lock cannot be written: Is a directory."


def test_a_read_only_data_folder_is_named(start: Start) -> None:
    said = start(DATA_DIR="/proc/sched")
    assert said.startswith("The data folder /proc/sched cannot be used: ")


def test_a_database_that_cannot_be_opened_is_named(start: Start, tmp_path: Path) -> None:
    (tmp_path / "sched.db").mkdir()
    said = start()
    assert said == f"The database {tmp_path}/sched.db cannot be used: unable to open database file."


def test_a_file_that_is_no_database_is_named_and_left_alone(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "sched.db"
    path.write_text("Dear diary, " * 1000)
    assert start() == f"The database {path} cannot be used: file is not a database."
    assert path.read_text() == "Dear diary, " * 1000


def test_a_server_that_is_not_there_is_named_without_its_password(start: Start) -> None:
    address = f"127.0.0.1:{free_port()}/sched"
    said = start(DATABASE_URL=f"postgresql+asyncpg://sched:hunter2hunter2@{address}")
    assert said.startswith(f"The database postgresql+asyncpg://sched:***@{address} cannot be used:")
    assert "hunter2" not in said


OTHER_PORT = (
    "sched_async: this server listens on port {port}, but its links lead to {url}. Unless "
    "a proxy forwards requests from there, stop it and set SCHED_PUBLIC_URL={right}\n"
)


@pytest.mark.parametrize(
    ("config", "url", "right"),
    [
        ("hypercorn.toml", "", "http://localhost:{port}"),
        (None, "http://[::1]", "http://[::1]:{port}"),
    ],
)
def test_a_server_on_another_port_than_its_links_says_so(
    tmp_path: Path, config: str | None, url: str, right: str
) -> None:
    environment = {"SCHED_DATA_DIR": str(tmp_path), "SCHED_PUBLIC_URL": url}
    path = ROOT / config if config else None
    with hypercorn_server(environment, config=path) as server:
        right = right.format(port=server.port)
        said = OTHER_PORT.format(port=server.port, url=url or "http://localhost:8000", right=right)
        assert said in server.output()


def test_a_server_that_is_where_its_links_lead_says_nothing(tmp_path: Path) -> None:
    for more in ({}, {"SCHED_PUBLIC_URL": "http://localhost", "SCHED_TRUSTED_PROXIES": "1"}):
        with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path), **more}) as server:
            assert "Running at" in server.output()
            assert "listens on port" not in server.output()
