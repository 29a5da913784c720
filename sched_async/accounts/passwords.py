"""Hash and verify passwords, off the event loop.

Argon2id with OWASP's least figures (19 MiB, 2 passes), in a small pool of threads with
a short queue: however many people sign in at once, everyone else is served, and
memory stays bounded.  Passwords count byte for byte after Unicode's NFC.
(OWASP ASVS 5.0, 6.2 and 11.4.2.)
"""

import asyncio
import time
import unicodedata
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from threading import BoundedSemaphore
from typing import TypeVar, cast

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from quart import Quart, current_app
from sqlalchemy import bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from werkzeug.security import check_password_hash

from ..database import begin, reading
from ..errors import BusyError
from ..models import User
from ..security import throttle
from ..security.throttle import Tries
from . import known_browsers
from .emails import lookup_email

QUEUE = 40  # who may wait for a thread; the next is asked to try again
ARGON2 = "$argon2"
KINDS_SECONDS = 60
PASSES = 2
MEMORY = 19 * 1024  # KiB

HASHES = (
    select(User.id, func.substr(User.password_hash, 1, 80).label("start"))
    .where(User.id > bindparam("last_id"))
    .order_by(User.id)
    .limit(1000)
)

Result = TypeVar("Result")
hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY, parallelism=1)


class HashingPool:
    """A few threads, and a limit to how many may wait for one (BusyError beyond it)."""

    def __init__(self, threads: int, queue: int) -> None:
        self.executor = ThreadPoolExecutor(threads, thread_name_prefix="hashing")
        self.places = BoundedSemaphore(threads + queue)

    async def run(self, work: Callable[..., Result], *args: object) -> Result:
        if not self.places.acquire(blocking=False):
            raise BusyError
        future = self.executor.submit(work, *args)
        # Not in a ``finally``: the thread goes on even if nobody is waiting any longer.
        future.add_done_callback(lambda _: self.places.release())
        return await asyncio.wrap_future(future)


def init_app(app: Quart) -> None:
    @app.after_serving
    async def stop_threads() -> None:
        app.extensions.pop("hash_kinds", None)
        pool = app.extensions.pop("hashing", None)
        if pool is not None:
            pool.executor.shutdown(wait=False)


def _pool() -> HashingPool:
    if "hashing" not in current_app.extensions:
        current_app.extensions["hashing"] = HashingPool(current_app.config["HASH_THREADS"], QUEUE)
    return cast(HashingPool, current_app.extensions["hashing"])


async def authenticate(email: str, password: str) -> User | None:
    """The active user with this email and password, or None; not limited."""
    user = await find_by_password(email, password)
    return user if user is not None and user.is_active else None


async def check_within_limits(email: str, password: str) -> tuple[User | None, Tries]:
    """The user with this email and password, even if deactivated; and the counted attempt.

    If it was right, the caller takes the attempt back, in the transaction that it was for.
    Raises TooManyAttemptsError, without hashing, and BusyError, without counting.
    """
    email = lookup_email(email)
    device = await known_browsers.known_to(User.email == email)
    tries = await throttle.admit(throttle.sign_in(email, device), is_pending=True)
    async with uncounted_if_busy(tries):
        user = await find_by_password(email, password)
    if user is None or not user.is_active:
        async with begin() as work:
            await throttle.keep(work, tries)
    return user, tries


@asynccontextmanager
async def uncounted_if_busy(tries: Tries) -> AsyncIterator[None]:
    """Whoever is turned away because others are hashing has not tried."""
    try:
        yield
    except BusyError:
        async with begin() as work:
            await throttle.take_back(work, tries)
        raise


async def find_by_password(email: str, password: str) -> User | None:
    """The user with this email and password, even if deactivated; or None.

    Unknown, wrong and inactive take the same time: each costs the same hashes, during which
    no connection is held.
    """
    query = select(User).where(User.email == lookup_email(email)).limit(1)
    async with reading() as session:
        user = await session.scalar(query)
        kinds = await _kinds(session)
    kept = user.password_hash if user else None
    right = await _pool().run(verify, kept, normal(password), kinds)
    if user is None or not right:
        return None
    is_weak = user.is_active and needs_rehash(user.password_hash)
    if is_weak and not await _rehash(user, password):
        return await find_by_password(email, password)
    return user


async def _rehash(user: User, password: str) -> bool:
    """Keep the same password by today's parameters; False if it was changed meanwhile.

    That may have been another sign-in, which did this first.
    """
    old, user.password_hash = user.password_hash, await hash_password(password)
    unchanged = (User.id == user.id, User.password_hash == old)
    better = update(User).where(*unchanged).values(password_hash=user.password_hash)
    async with begin() as session:
        return await session.scalar(better.returning(User.id)) is not None


async def hash_password(password: str) -> str:
    return await _pool().run(hasher.hash, normal(password))


class HashKinds:
    """Every kind of hash besides today's that some account has had since the start."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self.last_id = 0
        self.until = 0.0

    async def ask(self, session: AsyncSession) -> frozenset[str]:
        """Asks once a minute for new accounts alone: a hash never becomes an older one."""
        if time.monotonic() >= self.until:
            while rows := (await session.execute(HASHES, {"last_id": self.last_id})).all():
                self.last_id = rows[-1].id
                self.found.update(kind_of(row.start) for row in rows)
            self.until = time.monotonic() + KINDS_SECONDS
        return frozenset(self.found - {_todays_kind()})


async def _kinds(session: AsyncSession) -> frozenset[str]:
    kinds: HashKinds = current_app.extensions.setdefault("hash_kinds", HashKinds())
    return await kinds.ask(session)


def kind_of(kept: str) -> str:
    """How a hash was made, which decides how long it takes.

    >>> kind_of("pbkdf2:sha256:260000$salt$00"), kind_of("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$00")
    ('pbkdf2:sha256:260000', '$argon2id$v=19$m=19456,t=2,p=1')
    """
    parts = kept.split("$")
    return "$".join(parts[:4] if kept.startswith(ARGON2) else parts[:1])


def verify(kept: str | None, password: str, kinds: Iterable[str] = ()) -> bool:
    """Whether a (normal) password fits a kept hash; None stands for nobody's.

    Accounts of the original have Werkzeug's hashes, of which some take a tenth of a millisecond
    and some a quarter of a second.  So a wrong password pays for one hash of today's kind and one
    of each other kind that anybody has, whoever's it is: the time does not tell them apart.
    """
    if kept is not None and _fits(kept, password):
        return True
    own = kind_of(kept) if kept is not None and _is_readable(kept) else None
    for kind in sorted({_todays_kind(), *kinds} - {own}):
        _fits(f"{kind}${'A' * 22}${'A' * 43}", password)
    return False


def _todays_kind() -> str:
    return f"$argon2id$v=19$m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"


def _fits(kept: str, password: str) -> bool:
    try:
        if kept.startswith(ARGON2):
            return hasher.verify(kept, password)
        return check_password_hash(kept, password)
    except (VerificationError, InvalidHashError, ValueError):  # the last for what nobody knows
        return False


def _is_readable(kept: str) -> bool:
    """Whether it was computed at all."""
    try:
        extract_parameters(kept)
    except InvalidHashError:
        return not kept.startswith(ARGON2)
    return True


def needs_rehash(kept: str) -> bool:
    return not kept.startswith(ARGON2) or hasher.check_needs_rehash(kept)


def normal(password: str) -> str:
    """The same characters typed on another keyboard are the same password (NFC)."""
    return unicodedata.normalize("NFC", password)
