"""Servers of the tests' own: a private PostgreSQL cluster, and the app under Hypercorn.

Each listens on a free loopback port, keeps its files in a folder of its own, and is
stopped through the process that was started here, never by a name.
"""

import http.client
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from sched_async.models import Base

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60
STOP_SECONDS = 20

POSTGRESQL_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    # The cluster lives as long as the tests: nothing in it must survive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}

END_OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
"""

RESTART = """
    PERFORM setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'
"""


def unavailable(reason: str) -> NoReturn:
    """Skip the test; in CI fail it, since there a check that did not run proves nothing."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def find_postgresql() -> Path | None:
    """The folder of the server's programs, which Debian keeps off the PATH."""
    folders = [Path(found).resolve().parent for found in (shutil.which("postgres"),) if found]
    if pg_config := shutil.which("pg_config"):
        command = [pg_config, "--bindir"]
        folders.append(Path(subprocess.check_output(command, text=True).strip()))
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    folders += sorted(debian, key=lambda folder: float(folder.parent.name), reverse=True)
    for folder in folders:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    return None


@contextmanager
def postgresql_server() -> Iterator[str]:
    """Run a private cluster; gives the address that a database's name completes."""
    programs = find_postgresql()
    if programs is None:
        raise FileNotFoundError("no PostgreSQL server is installed")
    with tempfile.TemporaryDirectory(prefix="sched-pg-") as name:
        folder = Path(name)
        run_as = _unprivileged(folder)
        _make_cluster(programs, folder, run_as)
        port = free_port()
        options = POSTGRESQL_OPTIONS | {"port": str(port), "unix_socket_directories": name}
        command = [str(programs / "postgres"), "-D", str(folder / "data")]
        for option, value in options.items():
            command += ["-c", f"{option}={value}"]
        with _running(command, folder / "log", stop_by=signal.SIGINT, cwd=name, **run_as) as server:
            _wait_until(lambda: _cluster_is_ready(folder), server)
            yield f"postgresql+asyncpg://sched@127.0.0.1:{port}/"


def _unprivileged(folder: Path) -> dict[str, Any]:
    """Whom to run PostgreSQL as, which refuses to be root; the folder becomes theirs."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _make_cluster(programs: Path, folder: Path, run_as: dict[str, Any]) -> None:
    # UTF-8 by name: what the tests find must not depend on the machine's language.
    settings = ["--username=sched", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run(
        [str(programs / "initdb"), "-D", str(folder / "data"), "--no-sync", *settings],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        **run_as,
    )
    if made.returncode != 0:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")


def _cluster_is_ready(folder: Path) -> bool:
    """What pg_ctl looks at: the eighth line that the server writes about itself."""
    try:
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


async def create_database(server: str, name: str, template: str = "template0") -> str:
    """Make a database, empty or as a copy of one that nobody is using; gives its address."""
    await _execute(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return server + name


async def drop_database(server: str, name: str) -> None:
    await _execute(server, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def empty_database(url: str) -> None:
    """As it was when it had been migrated, whatever is still connected to it.

    Few rows are deleted in half the time in which tables are truncated, whose files are new ones.
    """
    tables = [f'DELETE FROM "{table.name}"' for table in reversed(Base.metadata.sorted_tables)]
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text(END_OTHERS))
        await connection.execute(text(f"DO $$ BEGIN {'; '.join(tables)}; {RESTART}; END $$"))


async def _execute(server: str, statement: str) -> None:
    engine = create_async_engine(
        server + "postgres", isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    async with engine.connect() as connection:
        await connection.execute(text(statement))


@dataclass
class Server:
    """A running program and what it has written so far."""

    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class WebServer(Server):
    """The app, answering on a socket."""

    port: int
    url: str

    def setup_link(self) -> str | None:
        """The link for making the first account, if one was printed."""
        found = re.search(r"https?://\S+/setup/[^\s/]+/", self.output())
        return found[0] if found else None


@contextmanager
def hypercorn_server(
    environment: Mapping[str, str],
    *arguments: str,
    config: Path | None = ROOT / "hypercorn.toml",
    folder: Path = ROOT,
    port: int | None = None,
    python: Path | str = sys.executable,
) -> Iterator[WebServer]:
    """Serve the app as the README says, with no settings but ``environment``'s.

    Without a SCHED_PUBLIC_URL there it is the address that the server listens on.
    """
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SCHED_")}
    env = inherited | {"SCHED_PUBLIC_URL": url} | dict(environment)
    how = [*(["-c", str(config)] if config else []), "-b", f"127.0.0.1:{port}", *arguments]
    command = [str(python), "-m", "hypercorn", *how, "sched_async:app"]
    with tempfile.TemporaryDirectory(prefix="sched-web-") as logs:
        log = Path(logs) / "log"
        with _running(command, log, stop_by=signal.SIGTERM, cwd=folder, env=env) as server:
            host = urlsplit(env["SCHED_PUBLIC_URL"]).netloc or "localhost"
            _wait_until(lambda: _answers(port, host), server)
            yield WebServer(server.process, log, port, url)


def _answers(port: int, host: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live", headers={"Host": host, "Connection": "close"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def _running(
    command: list[str], log: Path, *, stop_by: signal.Signals, **how: Any
) -> Iterator[Server]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **how
        )
    with process:
        try:
            yield Server(process, log)
        finally:
            _stop(process, stop_by)


def _stop(process: subprocess.Popen[bytes], stop_by: signal.Signals) -> None:
    process.send_signal(stop_by)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_until(ready: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        ended = server.process.poll()
        if ended is not None:
            raise RuntimeError(f"the server ended with {ended} at once:\n{server.output()}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server does not answer:\n{server.output()}")
        time.sleep(0.05)
