"""The profile: what it takes, what it refuses, and that the clock is the one chosen."""

# ruff: noqa: RUF001 (a dash between times)

from typing import Any

import pytest
from quart import Quart

from sched_async.models import User
from sched_async.testing import signed_in

from ..pages import Browser, text
from ..rows import activities, all_rows
from ..tables import each

PROFILE = "/account/profile/"
GOOD = {"name": "Alice B.", "timezone": "asia/tokyo", "week_start": "7", "clock_hours": "12"}
MEETING = {
    "title": "Meeting",
    "start": "2030-03-05T09:30",
    "end": "2030-03-05T10:15",
    "timezone": "Europe/Berlin",
}


async def profile(app: Quart, email: str = "alice@example.org") -> tuple[Any, ...]:
    (user,) = [user for user in await all_rows(app, User) if user.email == email]
    return user.name, user.timezone, user.week_start, user.clock_hours, user.is_admin


async def test_a_changed_profile_holds_in_every_browser(
    app: Quart, alice: User, mallory: User
) -> None:
    here, there = [await signed_in(app, "alice@example.org") for _ in range(2)]
    others = await profile(app, "mallory@example.org")
    response = await here.post(PROFILE, form=GOOD)
    assert (response.status_code, response.location) == (303, PROFILE)
    assert "Saved." in await text(await here.get(PROFILE))
    assert await profile(app) == ("Alice B.", "Asia/Tokyo", 7, 12, True)
    page = await text(await there.get("/appointments/"))
    assert "Alice B." in page
    assert "Times are in Asia/Tokyo." in page
    assert await profile(app, "mallory@example.org") == others
    assert await activities(app, alice.id) == ["profile_changed"]


async def test_the_form_shows_what_is_set(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    await client.post(PROFILE, form=GOOD)
    page = await text(await client.get(PROFILE))
    assert 'value="Alice B."' in page
    assert 'value="Asia/Tokyo"' in page
    assert '<option selected value="7">Sunday</option>' in page
    assert '<option selected value="12">12-hour (2:30 pm)</option>' in page


@each(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 101),
        ("name", "Al\x07ice"),
        ("name", "Al\u202eice"),
        ("timezone", ""),
        ("timezone", "Mars/Base"),
        ("timezone", "../../etc/passwd"),
        ("week_start", "2"),
        ("week_start", "first"),
        ("clock_hours", "13"),
        ("clock_hours", ""),
    ],
)
async def test_what_will_not_do_is_refused_at_its_field(
    app: Quart, alice: User, field: str, value: str
) -> None:
    client = await signed_in(app, "alice@example.org")
    before = await profile(app)
    response = await client.post(PROFILE, form=GOOD | {field: value})
    assert response.status_code == 422
    assert f'id="{field}-problem"' in await text(response)
    assert await profile(app) == before
    assert await activities(app, alice.id) == []


@each("field", ["email", "is_admin", "id", "password_hash", "delete_at"])
async def test_nothing_else_of_an_account_can_be_set(app: Quart, alice: User, field: str) -> None:
    """ASVS 8.2.3."""
    client = await signed_in(app, "alice@example.org")
    before = await profile(app)
    response = await client.post(PROFILE, form=GOOD | {field: "1"})
    assert response.status_code == 422
    assert await profile(app) == before


@pytest.mark.parametrize(
    ("hours", "shown", "elsewhere"),
    [
        ("24", "09:30 – 10:15", "17:30 – 18:15 in Asia/Tokyo"),
        ("12", "9:30 am – 10:15 am", "5:30 pm – 6:15 pm in Asia/Tokyo"),
    ],
)
async def test_appointments_are_shown_by_the_clock_that_was_chosen(
    app: Quart, alice: User, hours: str, shown: str, elsewhere: str
) -> None:
    client = await signed_in(app, "alice@example.org")
    form = {"name": "Alice", "timezone": "Europe/Berlin", "week_start": "1", "clock_hours": hours}
    assert (await client.post(PROFILE, form=form)).status_code == 303
    abroad = {
        "title": "Call",
        "start": "2030-03-06T17:30",
        "end": "2030-03-06T18:15",
        "timezone": "Asia/Tokyo",
    }
    for appointment in (MEETING, abroad):
        assert (await client.post("/appointments/create/", form=appointment)).status_code == 303
    pages = {
        path: await text(await client.get(path))
        for path in ("/appointments/", "/appointments/1/", "/appointments/1/delete/")
    }
    assert [path for path, page in pages.items() if shown not in page] == []
    assert elsewhere in pages["/appointments/"]


async def test_until_one_chooses_the_clock_has_24_hours(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    await client.post("/appointments/create/", form=MEETING)
    assert "09:30 – 10:15" in await text(await client.get("/appointments/"))


async def test_the_profile_is_nobody_elses(app: Quart, client: Browser, alice: User) -> None:
    response = await client.get(PROFILE)
    assert (response.status_code, response.location) == (303, f"/login/?next={PROFILE}")
