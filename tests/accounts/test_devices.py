"""Your devices: where one is signed in, and ending that."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from quart import Quart
from sqlalchemy import insert

from sched_async.accounts.sessions import MOST
from sched_async.accounts.tokens import hash_token
from sched_async.database import begin
from sched_async.models import LoginSession, User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD
from ..pages import Browser, asks_to_confirm, cookie, csrf_token, is_signed_in, log_in, text
from ..rows import activities
from ..tables import each
from .logins import age_proof, last_login, login_rows

DEVICES = "/account/devices/"
OTHERS = f"{DEVICES}sign-out-others/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)
NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)  # 12:00 in Berlin


def sign_out_path(session_id: int) -> str:
    return f"{DEVICES}{session_id}/sign-out/"


@pytest.fixture
async def laptop(app: Quart, alice: User) -> Client:
    client = await signed_in(app, alice.email)
    await last_login(app, alice.id, user_agent=FIREFOX, address="192.0.2.7")
    return client


@pytest.fixture
async def phone(app: Quart, alice: User, laptop: Client) -> Client:
    """Alice's second device."""
    client = await signed_in(app, alice.email, remember=True)
    await last_login(app, alice.id, user_agent=SAFARI, address="2001:db8::7")
    return client


async def test_each_device_is_listed_in_words(laptop: Client, phone: Client) -> None:
    """ASVS 7.5.2."""
    page = await text(await laptop.get(DEVICES))
    for words in ("Firefox on Linux", "Mobile Safari on iOS", "192.0.2.7", "2001:db8::7"):
        assert words in page, words
    assert "Times are in Europe/Berlin." in page


async def test_this_device_is_marked_and_comes_first(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    for client, name in ((laptop, "Firefox on Linux"), (phone, "Mobile Safari on iOS")):
        page = await text(await client.get(DEVICES))
        first, *others = page.split("<li>")[1:]
        assert name in first
        assert page.count("This device") == 1
        assert "This device" in first
        assert "/sign-out/" not in first
        assert all("/sign-out/" in other for other in others)


async def test_signing_in_notes_the_browser_and_the_address(
    app: Quart, client: Browser, alice: User
) -> None:
    token = await csrf_token(client)
    form = {"username": alice.email, "password": ALICE_PASSWORD, "csrf_token": token}
    await client.post(
        "/login/",
        form=form,
        headers={"User-Agent": FIREFOX},
        scope_base={"client": ("198.51.100.9", 5)},
    )
    page = await text(await client.get(DEVICES))
    assert "Firefox on Linux" in page
    assert "198.51.100.9" in page


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("", "Unknown browser"),
        ("<script>alert(1)</script>", "Unknown browser"),
        ("curl/8.5.0", "curl"),
    ],
)
async def test_a_browser_that_says_something_odd_is_listed_too(
    app: Quart, alice: User, laptop: Client, agent: str, shown: str
) -> None:
    await signed_in(app, alice.email)
    await last_login(app, alice.id, user_agent=agent)
    page = await (await laptop.get(DEVICES)).get_data(as_text=True)
    assert shown in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("ago", "hours", "words"),
    [
        (timedelta(seconds=0), 24, "Last active just now"),
        (timedelta(minutes=1, seconds=59), 24, "Last active just now"),
        (timedelta(minutes=2), 24, "Last active today at 11:58"),
        (timedelta(hours=12), 24, "Last active today at 00:00"),
        (timedelta(hours=12, minutes=1), 24, "Last active yesterday at 23:59"),
        (timedelta(hours=2, minutes=30), 12, "Last active today at 9:30 am"),
        (timedelta(days=21, hours=2, minutes=30), 24, "Last active 3 November at 09:30"),
    ],
)
async def test_times_are_said_in_the_persons_zone_and_clock(
    app: Quart, alice: User, ago: timedelta, hours: int, words: str
) -> None:
    async with app.app_context(), begin() as db:
        (await db.get_one(User, alice.id)).clock_hours = hours
    with time_machine.travel(NOON, tick=False):
        await signed_in(app, alice.email, remember=True)
        await last_login(app, alice.id, last_seen_at=NOON - ago)
        client = await signed_in(app, alice.email)
        page = await text(await client.get(DEVICES))
    assert words in page
    assert "Signed in today at" in page


async def test_a_moment_of_another_year_shows_the_year(app: Quart, alice: User) -> None:
    with time_machine.travel(NOON, tick=False):
        client = await signed_in(app, alice.email)
        await last_login(app, alice.id, created_at=NOON - timedelta(days=365))
        assert "Signed in 24 November 2025 at 12:00" in await text(await client.get(DEVICES))


async def test_what_has_ended_by_itself_is_not_listed(
    app: Quart, alice: User, laptop: Client
) -> None:
    for _ in range(2):
        await signed_in(app, alice.email)
    unused, over = (row.id for row in (await login_rows(app, alice.id))[1:])
    moment = datetime.now(UTC)
    async with app.app_context(), begin() as db:
        (await db.get_one(LoginSession, unused)).last_seen_at = moment - timedelta(hours=13)
        (await db.get_one(LoginSession, over)).expires_at = moment
    page = await text(await laptop.get(DEVICES))
    assert page.count("<li>") == 1
    assert "You are not signed in anywhere else." in page


async def test_signing_out_a_device_ends_it_at_its_next_request(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    """ASVS 7.5.2."""
    copied = cookie(phone)
    assert copied
    answer = await laptop.post(sign_out_path(await last_login(app, alice.id)))
    assert (answer.status_code, answer.location) == (303, DEVICES)
    assert "Signed out Mobile Safari on iOS." in await text(await laptop.get(DEVICES))
    assert not await is_signed_in(phone)
    assert cookie(phone) is None
    thief = Client(app)
    thief.set_cookie("localhost", "sched_login", copied)
    assert not await is_signed_in(thief)
    assert await is_signed_in(laptop)
    assert await activities(app, alice.id) == ["device_signed_out"]


async def test_signing_out_all_others_leaves_this_one(
    app: Quart, alice: User, mallory: User, laptop: Client, phone: Client
) -> None:
    """ASVS 7.4.3, 7.5.2."""
    third, hers = await signed_in(app, alice.email), await signed_in(app, mallory.email)
    answer = await phone.post(OTHERS)
    assert (answer.status_code, answer.location) == (303, DEVICES)
    assert "Signed out everywhere else." in await text(await phone.get(DEVICES))
    assert [await is_signed_in(client) for client in (laptop, third, phone, hers)] == [
        False,
        False,
        True,
        True,
    ]
    assert await activities(app, alice.id) == ["others_signed_out"]


async def test_doing_it_again_says_so_and_writes_nothing_down(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    path = sign_out_path(await last_login(app, alice.id))
    await laptop.post(path)
    for again, words in (
        (path, "That session has already ended"),
        (OTHERS, "not signed in anywhere else"),
    ):
        answer = await laptop.post(again)
        assert answer.location == DEVICES
        assert words in await text(await laptop.get(DEVICES))
    assert await activities(app, alice.id) == ["device_signed_out"]


@pytest.mark.databases("sqlite", "postgresql")
async def test_ten_presses_at_once_are_written_down_once(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    path = sign_out_path(await last_login(app, alice.id))
    answers = await asyncio.gather(*(laptop.post(path) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {303}
    assert await activities(app, alice.id) == ["device_signed_out"]


@pytest.mark.databases("sqlite", "postgresql")
async def test_two_devices_that_end_each_other_do_not_get_in_each_others_way(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    answers = await asyncio.gather(laptop.post(OTHERS), phone.post(OTHERS))
    assert {answer.status_code for answer in answers} == {303}
    assert len(await login_rows(app, alice.id)) <= 1


async def test_the_session_of_somebody_else_is_one_that_is_not_there(
    app: Quart, alice: User, mallory: User, laptop: Client
) -> None:
    """ASVS 8.2.2."""
    hers = await signed_in(app, mallory.email)
    theirs, missing = [
        await hers.post(sign_out_path(number))
        for number in (await last_login(app, alice.id), 404404)
    ]
    assert (theirs.status_code, theirs.location) == (missing.status_code, missing.location)
    assert await theirs.get_data() == await missing.get_data()
    assert await is_signed_in(laptop)
    assert "Firefox on Linux" not in await text(await hers.get(DEVICES))
    assert await activities(app, alice.id) == await activities(app, mallory.id) == []


@each("number", ["0", "-1", "9223372036854775808", "1e3", "x"])
async def test_a_number_that_is_none_ends_nothing(
    app: Quart, alice: User, laptop: Client, phone: Client, number: str
) -> None:
    answer = await laptop.post(f"{DEVICES}{number}/sign-out/")
    assert answer.status_code in (303, 404)
    assert len(await login_rows(app, alice.id)) == 2


async def test_for_this_device_there_is_the_usual_way_out(
    app: Quart, alice: User, laptop: Client
) -> None:
    answer = await laptop.post(sign_out_path(await last_login(app, alice.id)))
    assert (answer.status_code, answer.location) == (303, "/logout/")
    assert await is_signed_in(laptop)


async def test_ending_needs_a_fresh_proof_and_looking_does_not(
    app: Quart, alice: User, laptop: Client, phone: Client
) -> None:
    """ASVS 7.5.2: view, and having authenticated again, terminate."""
    await age_proof(app)
    assert (await laptop.get(DEVICES)).status_code == 200
    paths = (sign_out_path(await last_login(app, alice.id)), OTHERS)
    for path in paths:
        assert await asks_to_confirm(await laptop.post(path), DEVICES)
    assert await is_signed_in(phone)
    assert await activities(app, alice.id) == []
    form = {"password": ALICE_PASSWORD, "next": DEVICES}
    assert (await laptop.post("/confirm/", form=form)).location == DEVICES
    await laptop.post(paths[0])
    assert not await is_signed_in(phone)


async def test_a_get_ends_nothing(app: Quart, alice: User, laptop: Client, phone: Client) -> None:
    for path in (sign_out_path(await last_login(app, alice.id)), OTHERS):
        assert (await laptop.get(path)).status_code == 405
    assert await is_signed_in(phone)


async def make_sessions(app: Quart, user: User, number: int) -> None:
    moment = datetime.now(UTC)
    rows = [
        {
            "user_id": user.id,
            "token_hash": hash_token(f"{user.id} {count}"),
            "remember": False,
            "expires_at": moment + timedelta(hours=1),
        }
        for count in range(number)
    ]
    async with app.app_context(), begin() as db:
        await db.execute(insert(LoginSession), rows)


@pytest.mark.databases("sqlite", "postgresql")
async def test_the_twenty_first_sign_in_ends_the_oldest(
    app: Quart, client: Browser, alice: User, mallory: User
) -> None:
    """ASVS 7.1.2."""
    assert MOST == 20
    await make_sessions(app, mallory, MOST)
    oldest, second = [await signed_in(app, alice.email) for _ in range(2)]
    await make_sessions(app, alice, MOST - 2)
    assert await is_signed_in(oldest)
    await log_in(client, alice.email, ALICE_PASSWORD)
    assert [await is_signed_in(browser) for browser in (oldest, second, client)] == [
        False,
        True,
        True,
    ]
    assert len(await login_rows(app, alice.id)) == len(await login_rows(app, mallory.id)) == MOST
    assert (await text(await client.get(DEVICES))).count("<li>") == MOST


async def test_what_has_ended_by_itself_takes_no_place(
    app: Quart, client: Browser, alice: User, laptop: Client
) -> None:
    await make_sessions(app, alice, MOST - 1)
    await last_login(app, alice.id, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await log_in(client, alice.email, ALICE_PASSWORD)
    assert await is_signed_in(laptop)


@pytest.mark.databases("sqlite", "postgresql")
async def test_signing_in_at_once_leaves_no_more_than_twenty(app: Quart, alice: User) -> None:
    await make_sessions(app, alice, MOST - 1)
    browsers = [app.test_client() for _ in range(4)]
    answers = await asyncio.gather(
        *(log_in(browser, alice.email, ALICE_PASSWORD) for browser in browsers)
    )
    assert {answer.status_code for answer in answers} == {303}
    assert len(await login_rows(app, alice.id)) == MOST
    assert all([await is_signed_in(browser) for browser in browsers])
