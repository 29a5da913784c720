"""Limits on tries, and that they lock nobody out of a browser of their own."""

import asyncio
import re
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
import time_machine
from quart import Quart, Response
from sqlalchemy import select, update
from time_machine import Traveller

from sched_async.accounts.known_browsers import MOST, REMEMBERED
from sched_async.accounts.passwords import HashingPool
from sched_async.accounts.sessions import public
from sched_async.accounts.tokens import hash_token
from sched_async.app import create_app
from sched_async.config import load
from sched_async.database import begin, reading
from sched_async.errors import TooManyAttemptsError
from sched_async.models import Attempt, KnownBrowser, User
from sched_async.security import throttle
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..accounts.links import counted_hashes
from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..pages import cookie, is_signed_in, text
from ..rows import all_rows

pytestmark = pytest.mark.databases("sqlite", "postgresql")

ALICE, MALLORY = "alice@example.org", "mallory@example.org"
WRONG = "this is not the password"
TOO_MANY = re.compile(r"Too many attempts\. Wait (\d+) minutes? and try again\.")
HOME = "203.0.113.7"
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ONLY_POSTGRESQL = pytest.mark.databases("postgresql")


@pytest.fixture
def limits() -> dict[str, str]:
    """Other limits than the usual ones, by which tests need fewer hashes."""
    return {}


@pytest.fixture
def settings(
    settings: dict[str, Any], limits: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Behind a proxy, so that each request may come from another address."""
    mine = limits.copy()  # the same dictionary comes for the next database
    if everywhere := mine.pop("LOGIN_LIMIT_ALL", None):
        monkeypatch.setattr(throttle, "SIGN_INS_FROM_EVERYWHERE", int(everywhere))
    return settings | {"TRUSTED_PROXIES": "1"} | mine


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def limited(**limits: int) -> pytest.MarkDecorator:
    names = {f"LOGIN_LIMIT_{name.upper()}": str(most) for name, most in limits.items()}
    return pytest.mark.parametrize("limits", [names], ids=[""])


async def sign_in(
    client: Client, email: str = ALICE, password: str = WRONG, address: str = HOME
) -> Response:
    form = {"username": email, "password": password}
    return await client.post("/login/", form=form, headers={"X-Forwarded-For": address})


async def statuses(client: Client, times: int, **how: str) -> list[int]:
    return [(await sign_in(client, **how)).status_code for _ in range(times)]


async def known_browser(app: Quart, email: str = ALICE, password: str = ALICE_PASSWORD) -> Client:
    """Where somebody has signed in and out again."""
    client = Client(app)
    assert (await sign_in(client, email, password)).status_code == 303
    assert (await client.post("/logout/")).status_code == 303
    return client


# The three limits of strangers


@pytest.mark.parametrize("email", [ALICE, "nobody@example.org"])
async def test_a_hundred_wrong_passwords_for_one_account(
    app: Quart, alice: User, email: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 6.3.1; for an address without an account it is the same (6.3.8)."""
    with counted_hashes(monkeypatch) as hashes:
        assert await statuses(Client(app), 100, email=email) == [401] * 10 + [429] * 90
    assert hashes.count("verify") == 10


@pytest.mark.parametrize("email", [ALICE, "nobody@example.org"])
async def test_beyond_a_limit_the_form_says_how_long_to_wait(
    app: Quart, alice: User, clock: Traveller, email: str
) -> None:
    client = Client(app)
    await statuses(client, 10, email=email)
    clock.shift(timedelta(minutes=4, seconds=30))
    response = await sign_in(client, email)
    page = await text(response)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "630")
    assert "Too many attempts. Wait 11 minutes and try again." in page
    assert f'value="{email}"' in page
    assert WRONG not in page


async def test_a_script_is_told_in_its_language(settings: dict[str, Any]) -> None:
    app = create_app(settings)

    @app.route("/limited/")
    @public
    async def always() -> str:
        raise TooManyAttemptsError(timedelta(seconds=30))

    async with app.test_app():
        response = await Client(app).get("/limited/", headers={"Accept": "application/json"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "30")
    assert "Wait 1 minute and try again." in (await response.get_json())["message"]


async def test_the_right_password_does_not_help_beyond_the_limit(app: Quart, alice: User) -> None:
    client = Client(app)
    await statuses(client, 10)
    assert await statuses(client, 1, password=ALICE_PASSWORD) == [429]
    assert not await is_signed_in(client)


async def test_from_another_address_the_right_password_is_good(app: Quart, alice: User) -> None:
    """ASVS 6.1.1: who attacks an account does not lock its owner out."""
    await statuses(Client(app), 11)
    owner = Client(app)
    assert (await sign_in(owner, ALICE, ALICE_PASSWORD, "198.51.100.20")).status_code == 303
    assert await is_signed_in(owner)


async def test_a_hundred_wrong_passwords_from_one_address(app: Quart, alice: User) -> None:
    """ASVS 6.3.1."""
    client = Client(app)
    answers = [(await sign_in(client, f"p{n}@example.org")).status_code for n in range(100)]
    assert answers == [401] * 60 + [429] * 40
    assert await statuses(client, 1, address="198.51.100.20") == [401]


@limited(all=30)
async def test_a_hundred_accounts_from_a_hundred_addresses(app: Quart, alice: User) -> None:
    """ASVS 6.3.1."""
    client = Client(app)
    answers = [
        (await sign_in(client, f"p{n}@example.org", address=f"198.51.100.{n}")).status_code
        for n in range(100)
    ]
    assert answers == [401] * 30 + [429] * 70


async def test_the_limits_are_those_of_the_documentation() -> None:
    """ASVS 6.1.1."""
    assert [load()[f"LOGIN_LIMIT_{name}"] for name in ("ACCOUNT", "ADDRESS")] == [10, 60]
    assert throttle.SIGN_INS_FROM_EVERYWHERE == 600
    assert timedelta(minutes=15) == throttle.SPAN


@limited(address=3)
@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("junk", "other junk", True),
    ],
)
async def test_what_counts_as_one_address(
    app: Quart, alice: User, first: str, second: str, is_same: bool
) -> None:
    """One person has a whole /64 of IPv6."""
    client = Client(app)
    assert await statuses(client, 4, address=first) == [401] * 3 + [429]
    assert await statuses(client, 1, address=second) == [429 if is_same else 401]


@limited(account=3)
async def test_an_account_is_the_same_however_it_is_typed(app: Quart, alice: User) -> None:
    client = Client(app)
    for email in (ALICE, "Alice@Example.org", " ALICE@EXAMPLE.ORG "):
        assert await statuses(client, 1, email=email) == [401]
    assert await statuses(client, 1) == [429]


@limited(address=5)
@pytest.mark.parametrize("proxies", ["0", "1"])
async def test_nobody_chooses_their_address(settings: dict[str, Any], proxies: str) -> None:
    """Without a trusted proxy the header is worth nothing; with one, only what it adds."""
    app = create_app(settings | {"TRUSTED_PROXIES": proxies})
    async with app.test_app():
        client = Client(app)
        forged = [f"198.51.100.{n}{', 203.0.113.7' if proxies == '1' else ''}" for n in range(8)]
        answers = [(await sign_in(client, address=address)).status_code for address in forged]
    assert answers == [401] * 5 + [429] * 3


# How they are counted


@limited(account=3)
async def test_a_try_counts_for_a_quarter_of_an_hour(
    app: Quart, alice: User, clock: Traveller
) -> None:
    client = Client(app)
    assert await statuses(client, 1) == [401]
    clock.shift(timedelta(minutes=10))
    assert await statuses(client, 3) == [401, 401, 429]
    clock.shift(timedelta(minutes=4, seconds=59))
    assert await statuses(client, 1) == [429]
    clock.shift(timedelta(seconds=1))
    assert await statuses(client, 2) == [401, 429], "only the first is over"
    clock.shift(timedelta(minutes=15))
    assert await statuses(client, 1, password=ALICE_PASSWORD) == [303]


@limited(account=3)
async def test_refused_tries_do_not_make_the_wait_longer(
    app: Quart, alice: User, clock: Traveller
) -> None:
    client = Client(app)
    await statuses(client, 3)
    for _ in range(14):
        clock.shift(timedelta(minutes=1))
        assert await statuses(client, 1) == [429]
    clock.shift(timedelta(minutes=1))
    assert await statuses(client, 1) == [401]


@limited(account=3)
@pytest.mark.parametrize(
    ("back", "status"), [(30, 429), (61, 401), (600, 401), (172_800, 401)], ids=str
)
async def test_what_was_tried_while_a_clock_was_ahead_counts_for_nothing(
    app: Quart, alice: User, clock: Traveller, back: int, status: int
) -> None:
    """Clocks of two nodes may differ by a minute, within which tries count everywhere."""
    client = Client(app)
    await statuses(client, 3)
    clock.shift(-timedelta(seconds=back))
    assert await statuses(client, 1) == [status]


async def test_good_sign_ins_count_for_nothing(app: Quart, alice: User) -> None:
    for _ in range(12):
        assert (await sign_in(Client(app), ALICE, ALICE_PASSWORD)).status_code == 303
    assert await all_rows(app, Attempt) == []


@limited(account=3)
async def test_a_good_sign_in_does_not_wipe_out_wrong_ones(
    app: Quart, alice: User, mallory: User
) -> None:
    """Else whoever has an account could try on for ever at another."""
    client = Client(app)
    assert await statuses(client, 2) == [401, 401]
    assert await statuses(Client(app), 1, password=ALICE_PASSWORD) == [303]
    assert (await sign_in(Client(app), MALLORY, MALLORY_PASSWORD)).status_code == 303
    assert await statuses(client, 2) == [401, 429]


async def test_of_fifty_wrong_tries_at_once_ten_are_judged(
    app: Quart, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [Client(app) for _ in range(50)]
    with counted_hashes(monkeypatch) as hashes:
        answers = await asyncio.gather(*(sign_in(client) for client in clients))
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 40}
    assert hashes.count("verify") == 10


async def test_of_forty_right_ones_at_once_none_waits_for_longer_than_judging_takes(
    app: Quart, alice: User
) -> None:
    """And a wrong one stays one."""
    assert await statuses(Client(app), 1) == [401]
    waiting = [sign_in(Client(app), password=ALICE_PASSWORD) for _ in range(40)]
    answers = await asyncio.gather(*waiting)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} == {303, 429}
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert "Too many attempts. Wait 1 second and try again." in await text(refused[0])
    assert len(await all_rows(app, Attempt)) == 3
    assert await statuses(Client(app), 1, password=ALICE_PASSWORD) == [303]


@limited(account=2)
async def test_what_is_never_judged_is_wrong_in_the_end(
    app: Quart, alice: User, clock: Traveller
) -> None:
    assert await statuses(Client(app), 1) == [401]
    clock.shift(timedelta(minutes=5))
    await statuses(Client(app), 1)
    async with app.app_context(), begin() as db:  # as if its process had ended
        await db.execute(update(Attempt).where(Attempt.made_at == now()).values(is_pending=True))
    waits = []
    for seconds in (0, 59, 1):
        clock.shift(timedelta(seconds=seconds))
        waits.append((await sign_in(Client(app))).headers["Retry-After"])
    assert waits == ["1", "1", str(9 * 60)]


@ONLY_POSTGRESQL
async def test_two_nodes_count_together(app: Quart, alice: User, settings: dict[str, Any]) -> None:
    other = create_app(settings)
    async with other.test_app():
        clients = [Client(node) for node in (app, other) for _ in range(25)]
        answers = await asyncio.gather(*(sign_in(client) for client in clients))
    assert Counter(answer.status_code for answer in answers) == {401: 10, 429: 40}


@limited(account=1)
async def test_whoever_hangs_up_has_tried_all_the_same(app: Quart, alice: User) -> None:
    app.extensions["hashing"].executor.shutdown()
    pool = app.extensions["hashing"] = HashingPool(1, 1)
    go_on = threading.Event()
    before = asyncio.create_task(pool.run(go_on.wait))
    attempt = asyncio.create_task(sign_in(Client(app)))
    while pool.places.acquire(blocking=False):  # until it waits for the one thread
        pool.places.release()
        await asyncio.sleep(0.001)
    attempt.cancel()
    go_on.set()
    await asyncio.wait([before, attempt])
    assert await statuses(Client(app), 1) == [429]


@pytest.mark.real_hashing
async def test_whoever_is_turned_away_as_too_busy_has_not_tried(
    alice: User, settings: dict[str, Any], app: Quart
) -> None:
    app.extensions["hashing"].executor.shutdown()
    app.extensions["hashing"] = HashingPool(1, 0)
    answers = await asyncio.gather(*(sign_in(Client(app)) for _ in range(5)))
    counts = Counter(answer.status_code for answer in answers)
    assert counts[503] > 0
    assert counts[401] + counts[503] == 5
    assert len(await all_rows(app, Attempt)) == 3 * counts[401]


async def test_the_table_names_nobody(app: Quart, alice: User) -> None:
    await known_browser(app)
    client = Client(app)
    await statuses(client, 1)
    await statuses(client, 1, address="2001:db8::1")
    keys = {attempt.key for attempt in await all_rows(app, Attempt)}
    assert all(re.fullmatch("[0-9a-f]{64}", key) for key in keys)
    guesses = (ALICE, HOME, f"{ALICE} {HOME}", "all")
    assert keys.isdisjoint(sha256(guess.encode()).hexdigest() for guess in guesses)
    app.secret_key = "another " * 8
    await statuses(client, 1)
    assert len({attempt.key for attempt in await all_rows(app, Attempt)}) == len(keys) + 3


async def test_old_tries_are_forgotten(app: Quart) -> None:
    old, new = NOON - timedelta(hours=1), NOON - timedelta(minutes=59)
    rows = [Attempt(key=f"{n}", made_at=old) for n in range(2 * throttle.AT_ONCE + 1)]
    async with app.app_context(), begin() as db:
        db.add_all([*rows, Attempt(key="new", made_at=new)])
    with time_machine.travel(NOON, tick=False):
        async with app.app_context():
            await throttle.forget_old()
    assert [attempt.key for attempt in await all_rows(app, Attempt)] == ["new"]


# Known devices


@limited(all=12)
async def test_a_stranger_cannot_lock_an_owner_out(app: Quart, alice: User) -> None:
    """ASVS 6.1.1: not from the same address, and not with the limit for all used up."""
    owner = await known_browser(app)
    stranger = Client(app)
    assert (await statuses(stranger, 11))[-1] == 429
    assert await statuses(stranger, 3, email="nobody@example.org") == [401, 401, 429]
    assert await statuses(stranger, 1, address="198.51.100.20") == [429]
    assert await statuses(owner, 2) == [401, 401]
    assert await statuses(owner, 1, password=ALICE_PASSWORD) == [303]
    assert await is_signed_in(owner)


async def test_a_known_device_has_a_limit_of_its_own(app: Quart, alice: User) -> None:
    """A stolen cookie lets nobody in, and gives ten tries like any other browser."""
    device = await known_browser(app)
    assert not await is_signed_in(device)
    assert await statuses(device, 11) == [401] * 10 + [429]
    assert await statuses(device, 1, address="198.51.100.20") == [429]
    assert await statuses(Client(app), 1) == [401], "strangers are counted apart"
    other = await known_browser(app)
    assert await statuses(other, 1) == [401]


@limited(account=3)
async def test_a_device_is_worth_nothing_for_another_account(
    app: Quart, alice: User, mallory: User
) -> None:
    device = await known_browser(app, MALLORY, MALLORY_PASSWORD)
    assert await statuses(device, 3) == [401] * 3
    assert await statuses(device, 1) == [429]
    assert await statuses(Client(app), 1) == [429], "counted as a stranger's"


@limited(account=3)
@pytest.mark.parametrize("value", ["", "junk", "é" * 43, "A" * 43, "A" * 4000, '"'])
async def test_a_made_up_cookie_is_a_stranger(app: Quart, alice: User, value: str) -> None:
    client = Client(app)
    client.set_cookie("localhost", "sched_device", value)
    assert await statuses(client, 4) == [401, 401, 401, 429]


async def test_a_planted_cookie_is_never_adopted(app: Quart, alice: User, mallory: User) -> None:
    """Else whoever put it there could use up the tries of the owner's own browser."""
    planted = cookie(await known_browser(app, MALLORY, MALLORY_PASSWORD), "sched_device")
    assert planted
    owner = Client(app)
    owner.set_cookie("localhost", "sched_device", planted)
    assert (await sign_in(owner, ALICE, ALICE_PASSWORD)).status_code == 303
    assert cookie(owner, "sched_device") != planted
    devices = await all_rows(app, KnownBrowser)
    assert hash_token(planted) not in {device.token_hash for device in devices}


async def test_two_people_of_one_browser_are_both_known(
    app: Quart, alice: User, mallory: User
) -> None:
    shared = await known_browser(app)
    assert (await sign_in(shared, MALLORY, MALLORY_PASSWORD)).status_code == 303
    token = cookie(shared, "sched_device")
    assert token
    devices = await all_rows(app, KnownBrowser)
    assert {(device.user_id, device.token_hash) for device in devices} == {
        (alice.id, hash_token(token)),
        (mallory.id, hash_token(token)),
    }
    await shared.post("/logout/")
    assert (await sign_in(shared, ALICE, ALICE_PASSWORD)).status_code == 303
    assert cookie(shared, "sched_device") == token, "for whom it knows it stays"


async def test_only_a_hash_of_a_device_is_kept(app: Quart, alice: User) -> None:
    token = cookie(await known_browser(app), "sched_device")
    (device,) = await all_rows(app, KnownBrowser)
    assert token
    assert device.token_hash == hash_token(token)


async def test_the_device_used_longest_ago_is_forgotten(app: Quart, alice: User) -> None:
    async with app.app_context(), begin() as db:
        for days in range(MOST):
            used = now() - timedelta(days=days + 1)
            db.add(KnownBrowser(user_id=alice.id, token_hash=f"{days}", last_used_at=used))
    await known_browser(app)
    hashes = {device.token_hash for device in await all_rows(app, KnownBrowser)}
    assert len(hashes) == MOST
    assert hashes.isdisjoint({f"{MOST - 1}"})


@limited(account=3)
async def test_a_device_that_was_not_used_for_a_year_is_a_stranger(app: Quart, alice: User) -> None:
    device = await known_browser(app)
    async with app.app_context(), begin() as db:
        await db.execute(update(KnownBrowser).values(last_used_at=now() - REMEMBERED))
    await statuses(Client(app), 3)
    assert await statuses(device, 1) == [429]
    answer = await sign_in(device, ALICE, ALICE_PASSWORD, "198.51.100.20")
    assert answer.status_code == 303
    assert len(await all_rows(app, KnownBrowser)) == 1


@pytest.mark.parametrize(
    ("url", "name", "secure"),
    [
        ("https://sched.example.org", "__Host-sched_device", True),
        ("http://localhost", "sched_device", False),
    ],
)
async def test_the_cookie_is_only_for_us(
    settings: dict[str, Any], app: Quart, alice: User, url: str, name: str, secure: bool
) -> None:
    """ASVS 3.3.1 to 3.3.4; Lax, so that it comes along when a link in a mail is followed."""
    await app.shutdown()
    other = create_app(settings | {"PUBLIC_URL": url})
    async with other.test_app():
        client = Client(other)
        headers = {"Host": url.partition("//")[2], "X-Forwarded-For": HOME, "Origin": url}
        page = await client.get("/login/", headers=headers, scheme=url.partition(":")[0])
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', await text(page))
        assert found
        form = {"username": ALICE, "password": ALICE_PASSWORD, "csrf_token": found[1]}
        response = await client.post(
            "/login/", form=form, headers=headers, scheme=url.partition(":")[0]
        )
    assert response.status_code == 303
    cookies = response.headers.getlist("Set-Cookie")
    (header,) = [line for line in cookies if line.startswith(f"{name}=")]
    attributes = set(header.split("; ")[1:])
    assert {"HttpOnly", "Path=/", "SameSite=Lax", "Max-Age=31536000"} <= attributes
    assert ("Secure" in attributes) == secure
    assert not any(attribute.startswith("Domain") for attribute in attributes)


async def test_a_failed_sign_in_makes_no_device(app: Quart, alice: User) -> None:
    client = Client(app)
    await statuses(client, 1)
    assert cookie(client, "sched_device") is None
    assert await all_rows(app, KnownBrowser) == []


# Confirming


async def confirm(client: Client, password: str = WRONG) -> Response:
    form = {"password": password, "next": "/account/devices/"}
    return await client.post("/confirm/", form=form, headers={"X-Forwarded-For": HOME})


async def test_a_stolen_session_cannot_try_passwords_for_ever(app: Quart, alice: User) -> None:
    """ASVS 6.3.1: the page that asks again is limited like the first."""
    thief = await signed_in(app, ALICE)
    answers = [await confirm(thief) for _ in range(11)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    page = await text(answers[-1])
    assert TOO_MANY.search(page)
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 900
    assert 'value="/account/devices/"' in page
    assert await statuses(Client(app), 1) == [429], "one count with the sign-ins"


async def test_confirming_rightly_counts_for_nothing(app: Quart, alice: User) -> None:
    client = await signed_in(app, ALICE)
    for _ in range(12):
        assert (await confirm(client, ALICE_PASSWORD)).status_code == 303
    assert await all_rows(app, Attempt) == []


@limited(account=3)
async def test_a_stranger_cannot_keep_an_owner_from_confirming(app: Quart, alice: User) -> None:
    owner = await known_browser(app)
    assert (await sign_in(owner, ALICE, ALICE_PASSWORD)).status_code == 303
    assert await statuses(Client(app), 4) == [401] * 3 + [429]
    assert (await confirm(owner, ALICE_PASSWORD)).status_code == 303


async def test_devices_are_those_of_living_accounts(app: Quart, alice: User) -> None:
    """They go with their owner."""
    await known_browser(app)
    async with app.app_context(), begin() as db:
        await db.delete(await db.get_one(User, alice.id))
    async with app.app_context(), reading() as db:
        assert (await db.scalars(select(KnownBrowser))).all() == []
