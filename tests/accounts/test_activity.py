"""Recent activity: what happened to an account, for its owner to read."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from quart import Quart, Response
from sqlalchemy import insert, select

from sched_async.accounts import activity
from sched_async.accounts.admin.actions import ACTIONS
from sched_async.accounts.clients import origin
from sched_async.database import begin, reading
from sched_async.models import Activity, User
from sched_async.testing import signed_in

from ..conftest import ALICE_PASSWORD
from ..pages import Browser, csrf_token, log_in, text
from ..rows import activities
from ..tables import each
from .links import settled

ACTIVITY = "/account/activity/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
NOON = datetime(2026, 11, 24, 11, 0, tzinfo=UTC)  # 12:00 in Berlin
DAY = timedelta(days=1)


async def write_down(app: Quart, user: User, *rows: dict[str, Any]) -> None:
    same = {"user_id": user.id, "event": "login", "address": "192.0.2.7", "user_agent": FIREFOX}
    async with app.app_context(), begin() as db:
        await db.execute(insert(Activity), [same | row for row in rows])


async def try_to_sign_in(client: Browser, email: str, password: str) -> Response:
    """In Firefox, from a certain address."""
    form = {"username": email, "password": password, "csrf_token": await csrf_token(client)}
    where = {"client": ("198.51.100.9", 5)}
    return await client.post(
        "/login/", form=form, headers={"User-Agent": FIREFOX}, scope_base=where
    )


async def test_a_sign_in_is_written_down_once_with_its_device_and_address(
    app: Quart, client: Browser, alice: User
) -> None:
    await try_to_sign_in(client, alice.email, ALICE_PASSWORD)
    page = await text(await client.get(ACTIVITY))
    assert page.count("Signed in<") == 1
    assert "Firefox on Linux · 198.51.100.9" in page
    assert "Times are in Europe/Berlin." in page
    assert await activities(app, alice.id) == ["login"]


async def test_a_wrong_password_is_written_down_for_the_owner(
    app: Quart, client: Browser, alice: User
) -> None:
    assert (await try_to_sign_in(client, " Alice@Example.ORG ", "not this one")).status_code == 401
    await settled(app)
    page = await text(await (await signed_in(app, alice.email)).get(ACTIVITY))
    assert page.count("Failed sign-in: wrong password") == 1
    assert "Firefox on Linux · 198.51.100.9" in page
    assert "not this one" not in page


async def test_a_wrong_password_for_an_unknown_address_is_nobodys(
    app: Quart, client: Browser, alice: User
) -> None:
    await log_in(client, "nobody@example.org", "not this one either")
    await settled(app)
    async with app.app_context(), reading() as db:
        assert list(await db.scalars(select(Activity))) == []


@pytest.mark.databases("sqlite", "postgresql")
async def test_wrong_passwords_at_once_are_each_written_down_once(app: Quart, alice: User) -> None:
    browsers = [app.test_client() for _ in range(3)]
    await asyncio.gather(*(log_in(browser, alice.email, "not this one") for browser in browsers))
    await settled(app)
    assert await activities(app, alice.id) == ["login_failed"] * 3


async def test_a_stranger_does_not_wait_for_what_is_written_down(
    app: Quart, client: Browser, alice: User, database_url: str
) -> None:
    """ASVS 6.3.8: nobody can tell a known address by the time of the answer."""
    if database_url.startswith("sqlite"):
        pytest.skip("with one writer at a time, everybody waits alike")
    async with app.app_context(), begin() as db:
        await db.execute(select(User.id).with_for_update())  # nothing about Alice can be written
        answer = await asyncio.wait_for(log_in(client, alice.email, "not this one"), 2)
        assert answer.status_code == 401
    await settled(app)
    assert await activities(app, alice.id) == ["login_failed"]


async def test_signing_out_is_written_down_once(app: Quart, client: Browser, alice: User) -> None:
    await log_in(client, alice.email, ALICE_PASSWORD)
    token = await csrf_token(client, "/logout/")
    for _ in range(2):
        await client.post("/logout/", form={"csrf_token": token})
    assert await activities(app, alice.id) == ["login", "logout"]


async def test_newest_is_first_under_its_day_and_in_the_persons_time(
    app: Quart, alice: User
) -> None:
    ages = (timedelta(hours=2, minutes=30), timedelta(hours=12, minutes=1), 21 * DAY)
    await write_down(app, alice, *({"happened_at": NOON - age} for age in ages))
    with time_machine.travel(NOON, tick=False):
        page = await text(await (await signed_in(app, alice.email)).get(ACTIVITY))
    shown = re.findall(r"<h2[^>]*>(.*?)</h2>|<span class=\"time\">(.*?)</span>", page)
    said = ["".join(pair) for pair in shown]
    assert said == ["Today", "09:30", "Yesterday", "23:59", "3 November", "12:00"]


async def test_the_clock_is_the_persons(app: Quart, alice: User) -> None:
    async with app.app_context(), begin() as db:
        user = await db.get_one(User, alice.id)
        user.timezone, user.clock_hours = "America/New_York", 12
    await write_down(app, alice, {"happened_at": NOON})
    with time_machine.travel(NOON, tick=False):
        page = await text(await (await signed_in(app, alice.email)).get(ACTIVITY))
    assert '<span class="time">6:00 am</span>' in page
    assert "Times are in America/New_York." in page


async def test_fifty_are_on_a_page_and_the_next_goes_on_where_it_ended(
    app: Quart, alice: User
) -> None:
    """Many happened in the same second, and new ones come meanwhile."""
    moment = datetime.now(UTC).replace(microsecond=0)
    rows = [
        {"happened_at": moment - timedelta(minutes=number // 60), "address": f"192.0.2.{number}"}
        for number in range(130)
    ]
    await write_down(app, alice, *rows)
    client = await signed_in(app, alice.email)
    path, seen = ACTIVITY, []
    for expected in (50, 50, 30):
        page = await text(await client.get(path))
        found = re.findall(r"192\.0\.2\.(\d+)", page)
        assert len(found) == expected
        seen += found
        path = (re.search(r'href="([^"]+)">Earlier activity', page) or ["", ""])[1]
        await write_down(app, alice, {"address": "203.0.113.1"})
    assert path == ""
    assert sorted(map(int, seen)) == list(range(130))


@each(
    "before",
    ["", "x", "1", "1.2.3", "1.-1", " 1.2", "01.2", "1.99999999999999999999", "9" * 30 + ".1"],
)
async def test_a_place_that_is_none_is_a_bad_request(app: Quart, alice: User, before: str) -> None:
    client = await signed_in(app, alice.email)
    answer = await client.get(ACTIVITY, query_string={"before": before})
    assert answer.status_code == 400


async def test_what_is_older_than_ninety_days_does_not_show(app: Quart, alice: User) -> None:
    rows = ({"happened_at": NOON - 90 * DAY}, {"happened_at": NOON - 90 * DAY + DAY / 86_400})
    await write_down(app, alice, *rows)
    with time_machine.travel(NOON, tick=False):
        page = await text(await (await signed_in(app, alice.email)).get(ACTIVITY))
    assert page.count("Signed in<") == 1


async def test_nobody_else_sees_it(app: Quart, alice: User, mallory: User) -> None:
    """ASVS 8.2.2."""
    await write_down(app, alice, {"happened_at": datetime.now(UTC)})
    client = await signed_in(app, mallory.email)
    for path in (ACTIVITY, f"{ACTIVITY}?before=9999999999.99"):
        page = await text(await client.get(path))
        assert "Signed in<" not in page
        assert "192.0.2.7" not in page


async def test_what_is_done_on_the_server_says_so(app: Quart, alice: User) -> None:
    async with app.app_context(), begin() as db:
        await ACTIONS["sign-out"](db, await db.get_one(User, alice.id))
    page = await text(await (await signed_in(app, alice.email)).get(ACTIVITY))
    assert "Signed out everywhere" in page
    assert "By an administrator or the operator" in page


async def test_an_event_of_a_newer_version_does_not_break_the_page(app: Quart, alice: User) -> None:
    await write_down(app, alice, {"event": "passkey_added"})
    answer = await (await signed_in(app, alice.email)).get(ACTIVITY)
    assert answer.status_code == 200
    assert "passkey_added" in await text(answer)


async def test_what_a_browser_says_of_itself_is_only_text(app: Quart, alice: User) -> None:
    agent = "<b>x</b>\x00\x1b[31m" + "y" * 500
    async with app.test_request_context("/", headers={"User-Agent": agent}):
        where = origin()
    assert len(where["user_agent"]) <= 255
    assert where["user_agent"].startswith("<b>x</b>[31my")
    await write_down(app, alice, where)
    page = await (await signed_in(app, alice.email)).get(ACTIVITY)
    assert "<b>x" not in await page.get_data(as_text=True)


async def test_only_what_can_be_said_can_be_written_down(app: Quart, alice: User) -> None:
    longest: Any = Activity.__table__.c.event.type
    assert all(len(event) <= longest.length for event in activity.EVENTS)
    async with app.app_context(), begin() as db:
        with pytest.raises(ValueError, match="nonsense"):
            activity.record(db, alice.id, "nonsense")
