"""From start to stop: data folder, secret key, the lock on the file, database, welcome."""

import asyncio
import fcntl
import logging
import os
import secrets
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from quart import Quart
from sqlalchemy.engine import URL

from . import database, jobs
from .accounts.registration.rules import setup_link
from .appointments import zones
from .config import PublicUrl, retired, secret_key
from .errors import StartupError
from .ports import own_ports

KEY_FILE = "secret_key"
log = logging.getLogger("sched_async")
LOG_FORMAT = "%(asctime)sZ %(levelname)s %(name)s %(message)s"


def init_app(app: Quart) -> None:
    @app.while_serving
    async def serve() -> AsyncGenerator[None, None]:
        """Everything open and locked; when that fails, one line and exit code 1."""
        set_up_logging()
        for name in retired():
            log.warning("%s is no longer a setting and is ignored", name)
        try:
            prepare(app)
            with only_server(app.config["DATABASE_URL"]):
                async with database.opened(app):
                    await zones.catch_up()
                    await _welcome(app)
                    async with jobs.running(app):
                        yield
        except StartupError as error:
            # The exit is all there is to say; the task that it ends is not news.
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
            sys.exit(f"sched_async: {error}")


@asynccontextmanager
async def working(app: Quart, *, make: bool = False) -> AsyncIterator[None]:
    """What a command needs: the app's database and context, also beside a server.

    Raises StartupError, also where there is no database, unless it may ``make`` one.
    """
    if not make:
        await database.refuse_missing(app.config["DATABASE_URL"])
    prepare(app)
    async with database.opened(app), app.app_context():
        yield


def set_up_logging() -> None:
    """To stderr, in UTC, unless logging is already configured."""
    logger = logging.getLogger("sched_async")
    if not logger.hasHandlers():
        formatter = logging.Formatter(LOG_FORMAT, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        handler = logging.StreamHandler()
        handler.setFormatter(formatter)
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def prepare(app: Quart) -> None:
    """Make the data folder and, unless one is set, the secret key, once."""
    folder: Path = app.config["DATA_DIR"]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        app.secret_key = app.config["SECRET_KEY"] or _kept_key(folder / KEY_FILE)
    except OSError as error:
        raise StartupError(f"The data folder {folder} cannot be used: {error.strerror}.") from error


def _kept_key(path: Path) -> str:
    if not path.exists():
        _make_key(path)
    try:
        return secret_key(path.read_text("utf-8"))
    except ValueError as error:
        reason = "is not text" if isinstance(error, UnicodeDecodeError) else error
        raise StartupError(
            f"The secret key in {path} {reason}; delete the file to have a new one created."
        ) from None


def _make_key(path: Path) -> None:
    """Atomically (by a link), and never over one that another start has created."""
    with NamedTemporaryFile("w", dir=path.parent) as file:  # its mode is 0600
        file.write(secrets.token_urlsafe(48))
        file.flush()
        os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(file.name, path)


@contextmanager
def only_server(url: URL) -> Iterator[None]:
    """Hold the one place there is for a process that serves a SQLite file.

    The lock goes with the process, however that ends.
    """
    if url.get_backend_name() != "sqlite":
        yield
        return
    path = Path(f"{url.database}.lock")
    try:
        file = path.open("w")
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartupError(
                f"Another process is already serving {url.database}. SQLite allows only one; "
                "to run several, use PostgreSQL (SCHED_DATABASE_URL)."
            ) from None
        yield


async def _welcome(app: Quart) -> None:
    """Print where to go, and while there is no account, how to make the first."""
    link = await setup_link()
    sys.stdout.write(f"Running at {app.config['PUBLIC_URL']}/\n")
    if link:
        sys.stdout.write(f"Create the first account (link valid for one hour): {link}\n")
    sys.stdout.flush()
    _warn_of_other_port(app.config["PUBLIC_URL"], app.config["TRUSTED_PROXIES"])


def _warn_of_other_port(public_url: PublicUrl, proxies: int) -> None:
    """Without a proxy, links to a port that nobody listens on lead nowhere."""
    ports = own_ports()
    if proxies or not ports or public_url.port in ports:
        return
    here = f"{public_url.scheme}://{public_url.netloc.removesuffix(f':{public_url.port}')}"
    sys.stderr.write(
        f"sched_async: this server listens on port {' and '.join(map(str, ports))}, but its links "
        f"lead to {public_url}. Unless a proxy forwards requests from there, stop it and set "
        f"SCHED_PUBLIC_URL={here}:{ports[0]}\n"
    )
