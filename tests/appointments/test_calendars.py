"""Calendars: making, colouring, hiding and deleting them, and what each of them must not be."""

import asyncio
import re

import pytest
from quart import Quart

from sched_async.app import PACKAGE
from sched_async.appointments import calendar_changes, counts
from sched_async.appointments.calendar_changes import COLORS, LAST, TAKEN
from sched_async.models import Act, Appointment, Calendar, User
from sched_async.testing import Client, signed_in

from ..pages import hidden_fields, text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, LIST, landed, make, problem, titles, value

CALENDARS = "/calendars/"
CREATE_CALENDAR = "/calendars/create/"
HEBREW = "\u05e9\u05dc\u05d5\u05dd"

both_databases = pytest.mark.databases("sqlite", "postgresql")


async def make_calendar(client: Client, name: str, **more: str) -> None:
    """Send the form of a new one."""
    response = await client.post(CREATE_CALENDAR, form={"name": name, **more})
    assert landed(response) == (303, CALENDARS)


async def number_of(app: Quart, name: str) -> int:
    (found,) = [row.id for row in await all_rows(app, Calendar) if row.name == name]
    return found


def chosen(page: str) -> str | None:
    """The colour that the form proposes, or has."""
    found = re.search(r'<input checked [^>]*name="color"[^>]*value="([^"]*)"', page)
    return found[1] if found else None


async def listed(client: Client) -> list[str]:
    """Each calendar as it reads: name, number of appointments, marks."""
    page = await text(await client.get(CALENDARS))
    items = re.findall(r"<li>(.*?)<div class=\"acts\">", page, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", " ", item).split()) for item in items]


@both_databases
async def test_everybody_has_one_and_can_make_more_each_in_the_next_colour(
    app: Quart, hers: Client
) -> None:
    assert await listed(hers) == ["Personal 0 appointments Default"]
    page = await text(await hers.get(CREATE_CALENDAR))
    assert chosen(page) == "amber"
    await make_calendar(hers, "Work", color="teal")
    await make_calendar(hers, "  Family  ")
    assert await listed(hers) == [
        "Personal 0 appointments Default",
        "Work 0 appointments",
        "Family 0 appointments",
    ]
    rows = await all_rows(app, Calendar)
    assert [(row.name, row.color) for row in rows] == [
        ("Personal", "indigo"),
        ("Work", "teal"),
        ("Family", "amber"),
    ]


@both_databases
async def test_a_form_that_is_sent_twice_makes_one_calendar(app: Quart, hers: Client) -> None:
    sent = {"color": "plum", **await hidden_fields(await hers.get(CREATE_CALENDAR))}
    await asyncio.gather(*(make_calendar(hers, "Work", **sent) for _ in range(5)))
    assert len(await all_rows(app, Calendar)) == 2
    await hers.post(f"{CALENDARS}{await number_of(app, 'Work')}/delete/")
    await make_calendar(hers, "Work", **sent)
    assert await listed(hers) == ["Personal 0 appointments Default", "Work 0 appointments"]


@each(
    ("field", "typed", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "\u200b", "This field is required."),
        ("name", "x" * 101, "Field cannot be longer than 100 characters."),
        ("name", "two\nlines", "This contains a character that can't be used. Remove U+000A."),
        ("name", "Personal", TAKEN),
        ("name", " pErsonal ", TAKEN),
        ("color", "pink", "Not a valid choice."),
        ("color", "", "Not a valid choice."),
    ],
)
async def test_what_is_refused_comes_back_with_the_message_at_its_field(
    app: Quart, hers: Client, field: str, typed: str, message: str
) -> None:
    if "Work" not in [row.name for row in await all_rows(app, Calendar)]:
        await make_calendar(hers, "Work", color="olive")
    edit = f"{CALENDARS}{await number_of(app, 'Work')}/edit/"
    for path in (CREATE_CALENDAR, edit):
        sent = {"name": "Choir", "color": "moss", field: typed}
        response = await hers.post(path, form=sent)
        page = await text(response)
        assert (response.status_code, problem(page, field)) == (422, message)
        assert f'href="#{field}"' in page
        if field == "name":
            assert chosen(page) == "moss"
        else:
            assert value(page, "name") == "Choir"
    assert {row.name for row in await all_rows(app, Calendar)} == {"Personal", "Work"}


@both_databases
async def test_a_calendar_gets_another_name_and_colour_and_what_is_left_out_stays(
    app: Quart, hers: Client
) -> None:
    edit = f"{CALENDARS}{await number_of(app, 'Personal')}/edit/"
    page = await text(await hers.get(edit))
    assert (value(page, "name"), chosen(page)) == ("Personal", "indigo")
    for sent, kept in (
        ({"name": "PERSONAL"}, ("PERSONAL", "indigo")),
        ({"color": "slate"}, ("PERSONAL", "slate")),
        ({"name": "Mine", "color": "plum"}, ("Mine", "plum")),
    ):
        assert landed(await hers.post(edit, form=sent)) == (303, CALENDARS)
        (row,) = await all_rows(app, Calendar)
        assert (row.name, row.color) == kept


@both_databases
async def test_of_two_forms_with_one_name_at_once_one_is_refused(app: Quart, hers: Client) -> None:
    forms = [{"name": "Work", "submission": key} for key in "abcd"]
    answers = await asyncio.gather(*(hers.post(CREATE_CALENDAR, form=form) for form in forms))
    assert sorted(answer.status_code for answer in answers) == [303, 422, 422, 422]
    assert len(await all_rows(app, Calendar)) == 2


async def test_nobody_can_have_more_than_fifty(
    app: Quart, hers: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counts.MOST_CALENDARS == 50
    monkeypatch.setattr(calendar_changes, "MOST_CALENDARS", 2)
    await make_calendar(hers, "Work")
    response = await hers.post(CREATE_CALENDAR, form={"name": "Choir"})
    assert response.status_code == 422
    page = await text(response)
    assert "You can keep at most 2 calendars. Delete some first." in page
    assert value(page, "name") == "Choir"


@both_databases
async def test_another_one_becomes_the_default_and_takes_new_appointments(
    app: Quart, hers: Client
) -> None:
    await make_calendar(hers, "Work")
    await make_calendar(hers, "Choir")
    work = await number_of(app, "Work")
    assert landed(await hers.post(f"{CALENDARS}{work}/default/")) == (303, CALENDARS)
    assert "“Work” is now your default calendar." in await text(await hers.get(CALENDARS))
    await make(hers)
    assert await listed(hers) == [
        "Work 1 appointment Default",
        "Personal 0 appointments",
        "Choir 0 appointments",
    ]


@both_databases
async def test_a_calendar_is_hidden_and_shown_again(app: Quart, hers: Client) -> None:
    await make_calendar(hers, "Work")
    work = await number_of(app, "Work")
    for act, said, line in (
        ("hide", "“Work” is now hidden.", "Work 0 appointments Hidden"),
        ("hide", "“Work” is now hidden.", "Work 0 appointments Hidden"),
        ("show", "“Work” is shown again.", "Work 0 appointments"),
    ):
        assert landed(await hers.post(f"{CALENDARS}{work}/{act}/")) == (303, CALENDARS)
        assert said in await text(await hers.get(CALENDARS))
        assert (await listed(hers))[1] == line


@both_databases
async def test_a_calendar_goes_with_all_that_is_in_it_and_says_how_much_that_was(
    app: Quart, hers: Client
) -> None:
    await make_calendar(hers, "Work")
    await make_calendar(hers, "Choir")
    addresses = [await make(hers, title=title) for title in ("Dentist", "Barber")]
    for name, farewell in (
        ("Personal", "“Personal” has been deleted. 2 appointments went with it."),
        ("Work", "“Work” has been deleted. It was empty."),
    ):
        calendar = f"{CALENDARS}{await number_of(app, name)}/"
        leads_to_button = landed(await hers.get(calendar + "delete/"))
        assert leads_to_button == (303, calendar + "edit/")
        assert f'action="{calendar}delete/"' in await text(await hers.get(calendar + "edit/"))
        assert landed(await hers.post(calendar + "delete/")) == (303, CALENDARS)
        assert farewell in await text(await hers.get(CALENDARS))
        for path in ("edit/", "delete/"):
            assert (await hers.get(calendar + path)).status_code == 404
        for path in ("edit/", "hide/", "show/", "default/"):
            assert (await hers.post(calendar + path, form={"name": "X"})).status_code == 404
    assert await listed(hers) == ["Choir 0 appointments Default"]
    for address in addresses:
        assert (await hers.get(address)).status_code == 404
    for act in (await all_rows(app, Act))[-2:]:
        assert landed(await hers.post(f"/undo/{act.id}/")) == (303, CALENDARS)
    assert len(await listed(hers)) == 3
    for address in addresses:
        assert (await hers.get(address)).status_code == 200


@both_databases
async def test_a_button_to_delete_that_is_pressed_twice_deletes_once(
    app: Quart, hers: Client, mallory: User
) -> None:
    """Whose first answer nobody sees, as the browser has gone on to the second."""
    await make_calendar(hers, "Work")
    delete = f"{CALENDARS}{await number_of(app, 'Work')}/delete/"
    for _ in range(2):
        assert landed(await hers.post(delete)) == (303, CALENDARS)
    page = await text(await hers.get(CALENDARS))
    assert page.count("“Work” has been deleted. It was empty.") == 1
    undo = re.findall(r'action="(/undo/\d+/)"', page)[0]
    assert (await (await signed_in(app, mallory.email)).post(delete)).status_code == 404
    assert landed(await hers.post(undo)) == (303, CALENDARS)
    assert len([act for act in await all_rows(app, Act) if act.kind == "delete_calendar"]) == 1


@both_databases
async def test_the_only_calendar_stays(app: Quart, hers: Client) -> None:
    """Also of two that are deleted at once."""
    await make_calendar(hers, "Work")
    numbers = [row.id for row in await all_rows(app, Calendar)]
    await asyncio.gather(*(hers.post(f"{CALENDARS}{number}/delete/") for number in numbers))
    (left,) = [row for row in await all_rows(app, Calendar) if row.deleted_at is None]
    edit = f"{CALENDARS}{left.id}/edit/"
    assert landed(await hers.post(f"{CALENDARS}{left.id}/delete/")) == (303, edit)
    page = await text(await hers.get(edit))
    assert page.count(LAST) >= 2, "in the message, and in the place of the button"
    assert "/delete/" not in page


async def test_a_name_is_shown_as_text_and_leaves_the_sentence_around_it_in_order(
    app: Quart, hers: Client
) -> None:
    for name, said in (("<b>bold</b>", "“<b>bold</b>”"), (HEBREW, f"“\u2068{HEBREW}\u2069”")):
        await make_calendar(hers, name)
        page = await (await hers.get(CALENDARS)).get_data(as_text=True)
        assert "<b>" not in page
        await hers.post(f"{CALENDARS}{await number_of(app, name)}/hide/")
        assert f"{said} is now hidden." in await text(await hers.get(CALENDARS))


@both_databases
async def test_what_is_in_a_hidden_calendar_is_left_out_of_the_list_which_says_so(
    app: Quart, hers: Client
) -> None:
    address = await make(hers)
    alone = [await text(await hers.get(path)) for path in (LIST, address)]
    assert not any('class="calendar' in page or "hidden." in page for page in alone)
    await make_calendar(hers, "Work")
    await make(hers, title="Stand-up", calendar=str(await number_of(app, "Work")))
    page = await text(await hers.get(LIST))
    assert titles(page) == ["Dentist", "Stand-up"]
    assert '<span class="calendar amber"><bdi>Work</bdi></span>' in page
    assert '<span class="calendar indigo"><bdi>Personal</bdi></span>' in await text(
        await hers.get(address)
    )
    for name, left, said in (
        ("Work", ["Dentist"], "1 calendar is"),
        ("Personal", [], "2 calendars are"),
    ):
        await hers.post(f"{CALENDARS}{await number_of(app, name)}/hide/")
        page = await text(await hers.get(LIST))
        assert titles(page) == left
        assert f'{said} hidden. <a href="{CALENDARS}">' in page
        assert f">{name} (hidden)</option>" in await text(await hers.get(CREATE))
    assert (await hers.get(address)).status_code == 200


@both_databases
async def test_an_appointment_moves_to_another_calendar_of_its_owner_alone(
    app: Quart, hers: Client, mallory: User
) -> None:
    await make_calendar(hers, "Work")
    await make_calendar(hers, "Old")
    address, work, old = await make(hers), await number_of(app, "Work"), await number_of(app, "Old")
    await hers.post(f"{CALENDARS}{old}/delete/")
    theirs = [row.id for row in await all_rows(app, Calendar) if row.user_id == mallory.id]
    for wrong in (str(theirs[0]), str(old), "404404", "x"):
        for path in (CREATE, f"{address}edit/"):
            response = await hers.post(path, form=DENTIST | {"calendar": wrong})
            assert response.status_code == 422
            assert problem(await text(response), "calendar") == "Choose one of your calendars."
    assert (
        landed(await hers.post(f"{address}edit/", form=DENTIST | {"calendar": str(work)}))[0] == 303
    )
    assert "<bdi>Work</bdi>" in await text(await hers.get(address))
    assert landed(await hers.post(f"{address}edit/", form=DENTIST))[0] == 303
    (kept,) = await all_rows(app, Appointment)
    assert kept.calendar_id == work, "a script that names none leaves it where it is"


# Colours


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (float(((one + 0.055) / 1.055) ** 2.4) for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_every_colour_stands_out_in_both_themes() -> None:
    """WCAG 2.2: a bar 3:1 from whatever is around it (1.4.11), text on a tint 7:1 (1.4.6)."""
    css = (PACKAGE / "static" / "style.css").read_text("utf-8").replace("#fff;", "#ffffff;")
    number = "(#[0-9a-f]{6});"
    around = re.findall(rf"--paper: {number}\s*--sheet: {number}", css)
    for color in COLORS:
        rule = rf"\.{color} {{ --bar: {number} --bar-tint: {number} --bar-ink: {number} }}"
        for (bar, tint, ink), (paper, sheet) in zip(re.findall(rule, css), around, strict=True):
            assert min(contrast(bar, other) for other in (paper, sheet, tint)) >= 3, color
            assert contrast(ink, tint) >= 7, color
