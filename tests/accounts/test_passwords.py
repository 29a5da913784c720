"""Passwords: which will do, how they are kept, and what checking one costs whom."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unicodedata import normalize

import pytest
from argon2 import PasswordHasher
from quart import Quart
from quart.testing import QuartClient
from sqlalchemy import select, update
from werkzeug.security import generate_password_hash

from sched_async.accounts import passwords
from sched_async.accounts.new_passwords import check_new, common_passwords
from sched_async.accounts.passwords import HashingPool
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.errors import BusyError, RefusedError
from sched_async.models import User

from ..conftest import ALICE_PASSWORD
from ..pages import cookie, log_in, text
from ..tables import shown

pytestmark = pytest.mark.real_hashing

PARAMETERS = "$argon2id$v=19$m=19456,t=2,p=1$"
SHORT = "Use at least 12 characters."
LONG = "Use at most 1024 characters."
COMMON = "This password is too common. Choose another."
BEGINS = "This begins with a common password and adds too little. Choose another."
CLOSE = "This is too similar to your name or email, or to the name of this site."
UNSEEN = "This contains a character that can't be used."
COMPOSED = "Zwölf Boxkämpfer über Sylt"
DECOMPOSED = normalize("NFD", COMPOSED)


async def account(app: Quart, password: str) -> None:
    async with app.app_context():
        await create_account(name="Ada", email="ada@example.org", password=password, timezone="UTC")


async def kept_hash(app: Quart) -> str:
    async with app.app_context(), reading() as db:
        return str(await db.scalar(select(User.password_hash)))


async def keep(app: Quart, kept: str) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(password_hash=kept))


async def signs_in(app: Quart, password: str, email: str = "ada@example.org") -> bool:
    client = QuartClient(app)
    response = await log_in(client, email, password)
    assert response.status_code == (303 if cookie(client) else 401)
    return cookie(client) is not None


# Which will do


@pytest.mark.parametrize(
    "password",
    [
        "x7kq9mzp2wvb",
        "              ",
        "83920174650918273645",
        "correct horse battery staple",
        "🦷🦷🦷🦷🦷🦷🦷🦷🦷🦷🦷🦷",
        "пароль из слов и точек",
        "tab\tand\nline break",
        "x" * 64,
        "x" * 128,
        "x" * 1024,
        "my dentist appointment is a horror",
        "Ada and her nine teal kayaks",
    ],
    ids=shown,
)
def test_length_is_all_that_a_password_needs(password: str) -> None:
    """ASVS 6.2.1, 6.2.5 and 6.2.9: any characters, and many of them."""
    check_new(password, "Ada", "ada@example.org")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", SHORT),
        ("x7kq9mzp2wv", SHORT),
        (normalize("NFD", "äöüéàô") + "x", SHORT),
        ("x" * 1025, LONG),
        ("x" * 2**20, LONG),
        ("password1234", COMMON),
        ("qwertyuiop123", COMMON),
        ("QWERTYUIOP!!!", BEGINS),
        ("123456789012", BEGINS),
        ("Dragon19851212!!", BEGINS),
        ("dragon-dragon", BEGINS),
        ("butterfly salad", BEGINS),
        ("sched_async1234", CLOSE),
        ("Appointments-1", CLOSE),
        ("calendar2026!", CLOSE),
        ("AdaLovelace12", CLOSE),
        ("lovelace-lovelace", CLOSE),
        ("ada.lovelace@ex", CLOSE),
        ("example.org.1234", CLOSE),
        ("nine teal kay\0aks", UNSEEN),
        ("nine teal kay\ud800aks", UNSEEN),
    ],
    ids=shown,
)
def test_what_is_easily_guessed_is_refused_with_the_reason(password: str, reason: str) -> None:
    """ASVS 6.2.4 and 6.2.11."""
    with pytest.raises(RefusedError) as refused:
        check_new(password, "Ada Lovelace", "ada.lovelace@example.org")
    assert (refused.value.field, str(refused.value)) == ("password", reason)


def test_every_common_password_is_refused_however_it_is_dressed_up() -> None:
    long = [word for word in common_passwords() if len(word) >= 12]
    assert len(long) > 50
    assert len(common_passwords()) > 10_000
    for word in long:
        for password in (word, word.upper(), f"{word}1", f"{word}2026!"):
            with pytest.raises(RefusedError):
                check_new(password)


# What counts


async def test_the_same_letters_from_another_keyboard_are_the_same_password(app: Quart) -> None:
    assert COMPOSED != DECOMPOSED
    await account(app, DECOMPOSED)
    for typed in (COMPOSED, DECOMPOSED):
        assert await signs_in(app, typed)


async def test_every_other_character_counts(app: Quart) -> None:
    """ASVS 6.2.8: none is trimmed, folded or cut off, wherever it stands."""
    password = f" {'Nine teal kayaks ' * 60} "
    assert len(password) < 1024
    app.config["LOGIN_LIMIT_ACCOUNT"] = 20
    await account(app, password)
    for wrong in (
        password.strip(),
        password[1:],
        password[:-1],
        password.lower(),
        password.swapcase(),
        password[:72],
        f"{password[:72]}x{password[73:]}",
        f"{password[:-2]}x ",
        password.replace(" ", "\u00a0"),
        password.replace("N", "\uff2e"),
    ):
        assert not await signs_in(app, wrong)
    assert await signs_in(app, password)


# How they are kept


async def test_a_password_is_kept_as_argon2id_with_a_salt_of_its_own(app: Quart) -> None:
    """ASVS 11.4.2, with OWASP's least parameters."""
    hashes = []
    for _ in range(2):
        async with app.app_context():
            hashes.append(await passwords.hash_password(ALICE_PASSWORD))
    assert all(kept.startswith(PARAMETERS) for kept in hashes)
    assert hashes[0] != hashes[1]
    assert ALICE_PASSWORD not in "".join(hashes)


WEAKER = [
    PasswordHasher(time_cost=1, memory_cost=19 * 1024, parallelism=1).hash(ALICE_PASSWORD),
    PasswordHasher(time_cost=2, memory_cost=8 * 1024, parallelism=1).hash(ALICE_PASSWORD),
    generate_password_hash(ALICE_PASSWORD, "pbkdf2:sha1:1000"),
    generate_password_hash(ALICE_PASSWORD, "pbkdf2:sha256:1000"),
    generate_password_hash(ALICE_PASSWORD, "scrypt:1024:8:1"),
]


@pytest.mark.parametrize("weaker", WEAKER, ids=[kept.rsplit("$", 2)[0] for kept in WEAKER])
async def test_a_weaker_hash_is_replaced_at_the_next_login_and_only_then(
    app: Quart, weaker: str
) -> None:
    await account(app, ALICE_PASSWORD)
    await keep(app, weaker)
    assert not await signs_in(app, "not this one either")
    assert await kept_hash(app) == weaker
    assert await signs_in(app, ALICE_PASSWORD)
    better = await kept_hash(app)
    assert better.startswith(PARAMETERS)
    assert await signs_in(app, ALICE_PASSWORD)
    assert await kept_hash(app) == better, "once is enough"


# What checking one costs


class Counting(PasswordHasher):
    """The real one, counting."""

    checked = 0

    def verify(self, *given: Any, **named: Any) -> Any:
        self.checked += 1
        return super().verify(*given, **named)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    hasher = Counting(time_cost=2, memory_cost=19 * 1024, parallelism=1)
    monkeypatch.setattr(passwords, "hasher", hasher)
    return hasher


@pytest.mark.parametrize("kept", ["argon2", "pbkdf2"])
@pytest.mark.parametrize("whose", ["hers", "an inactive person's", "nobody's"])
async def test_a_refused_login_costs_one_hash_whatever_the_reason(
    app: Quart, counting: Counting, whose: str, kept: str
) -> None:
    """ASVS 6.3.8: or the time would tell who has an account."""
    await account(app, ALICE_PASSWORD)
    if kept == "pbkdf2":
        await keep(app, WEAKER[2])
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_active=whose == "hers"))
    email = "nobody@example.org" if whose == "nobody's" else "ada@example.org"
    counting.checked = 0
    assert not await signs_in(app, "not this one either", email)
    assert counting.checked == 1


async def test_a_wrong_password_costs_the_same_hashes_whoever_it_is_for(
    app: Quart, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where accounts of the original have hashes that take longer than today's."""
    await account(app, ALICE_PASSWORD)
    today = PARAMETERS.removesuffix("$")
    broken = ["", "plain", f"{PARAMETERS}nonsense", "pbkdf2:sha1:many$Vx9qLm2p$00"]
    people = {f"{n}@example.org": kept for n, kept in enumerate([*WEAKER, *broken])}
    async with app.app_context(), begin() as db:
        for email, kept in people.items():
            db.add(User(name="Old", email=email, password_hash=kept, timezone="UTC"))
    computed: list[str] = []
    for owner, name, at in ((PasswordHasher, "verify", 1), (passwords, "check_password_hash", 0)):
        monkeypatch.setattr(owner, name, noting(computed, getattr(owner, name), at))
    for email in ["ada@example.org", "nobody@example.org", *people]:
        computed.clear()
        assert not await signs_in(app, "not this one either", email)
        kinds = Counter(passwords.kind_of(kept) for kept in computed if kept not in broken)
        costly = {kind: n for kind, n in kinds.items() if kind not in broken and "many" not in kind}
        assert costly == dict.fromkeys([today, *map(passwords.kind_of, WEAKER)], 1), email
    assert await signs_in(app, ALICE_PASSWORD)


def noting(computed: list[str], check: Callable[..., bool], at: int) -> Callable[..., bool]:
    """The real one, noting the hash among its arguments."""

    def noting_check(*given: Any) -> bool:
        computed.append(given[at])
        return check(*given)

    return noting_check


@pytest.fixture
async def narrow(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """An app with one thread that hashes, and room for one who waits."""
    app = create_app(settings)
    async with app.test_app():
        app.extensions["hashing"] = HashingPool(1, 1)
        await account(app, ALICE_PASSWORD)
        yield app


@asynccontextmanager
async def occupied(pool: HashingPool) -> AsyncIterator[asyncio.Task[None]]:
    """Meanwhile the thread is at work, for the task that is given."""
    begun, end = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        end.wait()

    task = asyncio.create_task(pool.run(work))
    await asyncio.to_thread(begun.wait)
    yield task
    end.set()
    await asyncio.wait([task])


async def until_queued(pool: HashingPool, task: asyncio.Task[Any]) -> None:
    while pool.executor._work_queue.empty():
        assert not task.done()
        await asyncio.sleep(0.01)


async def test_whoever_finds_the_queue_full_is_asked_to_try_again(narrow: Quart) -> None:
    pool = narrow.extensions["hashing"]
    async with occupied(pool):
        waiting = asyncio.create_task(signs_in(narrow, ALICE_PASSWORD))
        await until_queued(pool, waiting)
        client = QuartClient(narrow)
        response = await log_in(client, "ada@example.org", ALICE_PASSWORD)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert "Wait a few seconds and try again." in await text(response)
        assert cookie(client) is None
    assert await waiting, "who was in the queue is signed in"
    assert await signs_in(narrow, ALICE_PASSWORD), "and so is who tries again"


async def test_while_passwords_are_hashed_everybody_else_is_served(narrow: Quart) -> None:
    pool = narrow.extensions["hashing"]
    async with occupied(pool):
        waiting = asyncio.create_task(signs_in(narrow, ALICE_PASSWORD))
        await until_queued(pool, waiting)
        for path in ("/login/", "/health/ready"):
            assert (await QuartClient(narrow).get(path)).status_code == 200
        assert not waiting.done()
    assert await waiting


@pytest.fixture
def pool() -> Iterator[HashingPool]:
    pool = HashingPool(1, 1)
    yield pool
    pool.executor.shutdown()


async def test_the_place_of_work_that_failed_is_free_again(pool: HashingPool) -> None:
    for _ in range(5):
        with pytest.raises(MemoryError):
            await pool.run(fail)
    assert await pool.run(str, 7) == "7"


def fail() -> None:
    raise MemoryError


async def test_whoever_leaves_keeps_the_place_until_the_thread_is_free(pool: HashingPool) -> None:
    """Or leaving would be a way around the limit."""
    async with occupied(pool) as work:
        work.cancel()
        waiting = asyncio.create_task(pool.run(str, 7))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await pool.run(str, 8)
    assert await waiting == "7"


@pytest.mark.databases("sqlite", "postgresql")
async def test_two_sign_ins_at_once_may_both_replace_a_weaker_hash(app: Quart) -> None:
    await account(app, ALICE_PASSWORD)
    await keep(app, WEAKER[-1])
    both = await asyncio.gather(*(signs_in(app, ALICE_PASSWORD) for _ in range(2)))
    assert both == [True, True]
