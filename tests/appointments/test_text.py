"""What the form takes for text and for ticks, and what it leaves alone that came otherwise."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape
from urllib.parse import quote_plus

import pytest
from quart import Quart

from sched_async.models import Appointment, User
from sched_async.testing import Client

from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, add, instants, make, problem, timed, value, whole_days

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
URLENCODED = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "notes",
    ["x", "漢", "\U0001f600", "é", "\n", "%", "a\nb\n漢\n"],
    ids=ascii,
)
@pytest.mark.parametrize("line_break", ["\n", "\r\n"], ids=ascii)
async def test_ten_thousand_characters_of_notes_are_kept_whatever_they_are(
    app: Quart, hers: Client, notes: str, line_break: str
) -> None:
    whole = f"a{notes * 10_000}"[:9_999] + "z"
    address = await make(hers, description=whole.replace("\n", line_break))
    assert [row.description for row in await all_rows(app, Appointment)] == [whole]
    too_much = {"description": f"{whole}!".replace("\n", line_break)}
    response = await hers.post(f"{address}edit/", form=DENTIST | too_much)
    assert response.status_code == 422
    assert problem(await text(response), "description")


async def test_a_script_may_send_utf_8_as_it_is(app: Quart, hers: Client) -> None:
    form = DENTIST | {"title": "Müller+%E6%BC%A2", "location": "Straße"}
    body = "&".join(f"{name}={value}" for name, value in form.items())
    response = await hers.post(CREATE, data=body.encode(), headers=URLENCODED)
    assert response.status_code == 303
    assert [(row.title, row.location) for row in await all_rows(app, Appointment)] == [
        ("Müller 漢", "Straße")
    ]
    broken = body.encode("latin1")
    assert (await hers.post(CREATE, data=broken, headers=URLENCODED)).status_code == 400


@pytest.mark.parametrize("title", ["\u200b", "\u3164", "\u2800", "\u00a0\ufe0f"], ids=ascii)
async def test_a_title_that_nobody_can_see_is_none(app: Quart, hers: Client, title: str) -> None:
    response = await hers.post(CREATE, form=DENTIST | {"title": title})
    assert response.status_code == 422
    assert problem(await text(response), "title") == "This field is required."
    assert await all_rows(app, Appointment) == []


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("田中\u3000太郎", "田中 太郎"),
        ("No\u00a0break", "No break"),
        ("two\u2028lines\u2029here", "two lines here"),
        ("علی\u200cرضا", "علی\u200cرضا"),  # noqa: RUF001
        (
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
            "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        ),
    ],
    ids=ascii,
)
async def test_odd_spaces_become_plain_ones_and_joiners_stay(
    app: Quart, hers: Client, typed: str, kept: str
) -> None:
    await make(hers, title=typed, location=typed)
    assert [(row.title, row.location) for row in await all_rows(app, Appointment)] == [(kept, kept)]


async def test_addresses_are_links_wherever_a_text_is_shown_in_full(hers: Client) -> None:
    place, notes = "https://example.org/?a&b", "<b>\ntel:+49-30-12\nmailto:ada@example.org"
    address = await make(hers, title=place, location=place, description=notes)
    links = [await addresses(hers, page) for page in (address, "/appointments/")]
    assert links == [[place, "tel:+49-30-12", "mailto:ada@example.org"], [place]]


async def addresses(client: Client, path: str) -> list[str]:
    """Where the links of a page lead that lead away."""
    page = await (await client.get(path)).get_data(as_text=True)
    assert "<b>" not in page
    return [unescape(link) for link in re.findall(r'<a href="([^"/]+:[^"]+)"', page)]


@pytest.mark.parametrize("field", ["title", "location", "description"])
async def test_a_character_that_cannot_be_used_is_named(hers: Client, field: str) -> None:
    response = await hers.post(CREATE, form=DENTIST | {field: "abc\u202ecba"})
    assert response.status_code == 422
    page = await text(response)
    assert "U+202E" in (problem(page, field) or "")
    assert value(page, field) == "abc\u202ecba"


async def test_a_title_turns_round_neither_the_pages_title_nor_what_is_said(
    app: Quart, alice: User, hers: Client
) -> None:
    await add(app, alice, timed("ab\u202ecd", "2030-01-01T09:00"))
    address = f"/appointments/{(await all_rows(app, Appointment))[0].id}/"
    assert "<title>\u2068abcd\u2069 · sched</title>" in await text(await hers.get(address))
    page = await text(await hers.get(f"{address}delete/"))
    assert "<title>Delete \u2068abcd\u2069 · sched</title>" in page
    assert (await hers.post(f"{address}delete/")).status_code == 303
    assert "“\u2068abcd\u2069” has been deleted." in await text(await hers.get("/appointments/"))


async def test_what_is_longer_than_the_form_allows_stays_when_the_rest_is_changed(
    app: Quart, alice: User, hers: Client
) -> None:
    """It came by the import."""
    long = timed("Fair", "2030-07-01T09:00", timedelta(hours=50))
    days = whole_days("Year", "2030-01-01", "2032-01-01")
    notes = "x" * 6_000 + "\n" + "漢" * 9_000
    await add(
        app,
        alice,
        replace(long, location="odd\u202eplace", description=notes),
        replace(days, description=notes),
    )
    spans = await instants(app)
    for before in await all_rows(app, Appointment):
        address = f"/appointments/{before.id}/edit/"
        page = await text(await hers.get(address))
        names = ("title", "start", "end", "timezone", "location", "description")
        form = {name: value(page, name) or "" for name in names} | {"title": "Changed"}
        form["description"] = before.description.replace("\n", "\r\n")
        form |= {"allday": "y"} if before.allday else {}
        assert (await hers.post(address, form=form)).status_code == 303
        (after,) = [row for row in await all_rows(app, Appointment) if row.id == before.id]
        assert (after.title, after.description) == ("Changed", before.description)
        assert (after.start, after.end, after.location) == (
            before.start,
            before.end,
            before.location,
        )
        assert await instants(app) == spans
        too_long = {"end": "2035-07-05T09:00"} if before.allday else {"location": "x" * 256}
        for changed in (too_long, {"description": "x" * 10_001}):
            assert (await hers.post(address, form=form | changed)).status_code == 422


@pytest.mark.parametrize(
    ("sent", "allday"),
    [
        *((value, True) for value in ("y", "on", "1", "True", "true", "YES", 1, True)),
        *((value, False) for value in (False, 0, None, "", "False", "no", "off", "NO", "null")),
    ],
    ids=repr,
)
async def test_a_tick_is_read_as_scripts_and_browsers_say_it(
    app: Quart, hers: Client, sent: object, allday: bool
) -> None:
    form: dict[str, object] = {**DENTIST, "allday": sent}
    assert (await hers.post(CREATE, form=form)).status_code == 303
    (kept,) = await all_rows(app, Appointment)
    assert (kept.allday, kept.start.hour) == (allday, 0 if allday else 9)


@each("said", ["maybe", "2", "-1", "yes and no", "[]"])
async def test_what_is_neither_yes_nor_no_is_refused(app: Quart, hers: Client, said: str) -> None:
    response = await hers.post(CREATE, form=DENTIST | {"allday": said})
    assert response.status_code == 422
    assert problem(await text(response), "allday") == "This is neither yes nor no."
    assert await all_rows(app, Appointment) == []


async def test_a_tick_that_is_sent_twice_must_say_the_same(hers: Client) -> None:
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in DENTIST.items())
    for ticks, status in (("&allday=0&allday=y", 422), ("&allday=on&allday=1", 303)):
        response = await hers.post(CREATE, data=f"{body}{ticks}".encode(), headers=URLENCODED)
        assert response.status_code == status
