"""Undo over HTTP: by the button in a message, and what is in the way of it."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from quart import Quart, Response
from sqlalchemy import select, update

from sched_async.appointments import calendar_changes, changes
from sched_async.database import begin, reading
from sched_async.ics.derive import derive
from sched_async.models import Act, Appointment, Calendar, Occurrence, User
from sched_async.purging import purge
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..pages import text
from ..rows import all_rows
from . import DENTIST, LIST, add, landed, make, timed, titles

pytestmark = pytest.mark.databases("sqlite", "postgresql")

BUTTON = re.compile(r'<form method="post" action="(/undo/\d+/)">')


async def said(client: Client, path: str | None) -> tuple[list[str], list[str]]:
    """The messages on the next page, and what its Undo buttons lead to."""
    page = await text(await client.get(path or LIST))
    return re.findall(r'<p role="\w+">([^<]*)</p>', page), BUTTON.findall(page)


async def sent(client: Client, response: Response) -> tuple[str, str]:
    """What is said last after an answer, and where its undo is."""
    assert response.status_code == 303
    messages, buttons = await said(client, response.location)
    return messages[-1], buttons[-1]


async def kept(app: Quart) -> list[dict[str, Any]]:
    """Appointments but for their revision, and occurrences."""
    found = []
    async with app.app_context(), reading() as db:
        for model in (Appointment, Occurrence):
            table: Any = model.__table__
            rows = await db.execute(select(table).order_by(*table.primary_key))
            found += [dict(row) | {"rev": None} for row in rows.mappings()]
    return found


@pytest.fixture
async def other_calendar(app: Quart, alice: User) -> int:
    async with app.app_context(), begin() as db:
        return (await calendar_changes.add(db, alice.id, "Work", "amber")).id


async def test_what_a_page_has_done_is_undone_by_the_button_in_its_message(
    app: Quart, hers: Client, other_calendar: int
) -> None:
    """And that by the next one; text, columns and occurrences are exactly what they were."""
    address = await make(hers)
    await hers.get(LIST)
    calendar = {"calendar": str(other_calendar)}
    longer = {"title": "Surgery", "end": "2030-06-08T10:00", "description": ""}
    steps = [
        (f"{address}edit/", DENTIST | longer, address, "Saved."),
        (f"{address}edit/", DENTIST | calendar, address, "Saved."),
        (f"{address}edit/", DENTIST | longer | calendar, address, "Saved."),
        (f"{address}delete/", {}, LIST, "“Dentist” has been deleted."),
    ]
    for path, form, target, message in steps:
        before = await kept(app)
        response = await hers.post(path, form=form)
        assert response.location == target
        assert (await sent(hers, response))[0] == message
        async with app.app_context(), reading() as db:
            act_id = await db.scalar(select(Act.id).order_by(Act.id.desc()).limit(1))
        after = await kept(app)
        assert after != before
        undo = f"/undo/{act_id}/"
        for expected in (before, after, before):
            response = await hers.post(undo)
            there = expected == before or "delete" not in path
            assert response.location == (address if there else LIST)
            message, undo = await sent(hers, response)
            assert re.fullmatch(
                "Undone. “(Dentist|Surgery)” (is as before|has been deleted).", message
            )
            assert await kept(app) == expected


async def test_creating_is_undone_too(app: Quart, hers: Client) -> None:
    response = await hers.post("/appointments/create/", form=DENTIST)
    message, undo = await sent(hers, response)
    assert message == "Saved."
    response = await hers.post(undo)
    assert response.location == LIST
    assert (await sent(hers, response))[0] == "Undone. “Dentist” has been deleted."
    assert await all_rows(app, Appointment) == []


async def test_what_changed_nothing_has_nothing_to_undo(hers: Client) -> None:
    address = await make(hers)
    await hers.get(LIST)
    await hers.post(f"{address}edit/", form=DENTIST)
    assert await said(hers, address) == (["Saved."], [])


async def test_undoing_twice_says_so(app: Quart, hers: Client) -> None:
    address = await make(hers)
    _, undo = await sent(hers, await hers.post(f"{address}delete/"))
    assert landed(await hers.post(undo)) == (303, address)
    await hers.get(LIST)
    before = await kept(app)
    assert landed(await hers.post(undo)) == (303, address)
    assert await said(hers, address) == (["This has been undone already."], [])
    assert await kept(app) == before


async def test_nobody_else_undoes_it_nor_anybody_after_thirty_days(
    app: Quart, hers: Client, mallory: User
) -> None:
    address = await make(hers)
    _, undo = await sent(hers, await hers.post(f"{address}delete/"))
    mallorys = await signed_in(app, mallory.email)
    for form in ({}, {"changed": "all"}):
        assert (await mallorys.post(undo, form=form)).status_code == 404
    assert (await hers.post("/undo/404404/")).status_code == 404
    assert (await hers.post(undo, form={"changed": "some"})).status_code == 422
    async with app.app_context(), begin() as db:
        await db.execute(update(Act).values(made_at=now() - timedelta(days=30, seconds=1)))
    response = await hers.post(undo)
    assert response.status_code == 404
    assert "This can't be undone any more" in await text(response)
    assert await all_rows(app, Appointment) == []


async def test_what_has_changed_since_is_named_and_left_or_taken_back(
    app: Quart, alice: User, hers: Client
) -> None:
    numbers = await add(app, alice, *(timed(one, "2030-05-06T09:00") for one in ("A", "B", "C")))
    (act,) = await all_rows(app, Act)
    undo = f"/undo/{act.id}/"
    await hers.post(f"/appointments/{numbers[0]}/edit/", form=DENTIST | {"title": "A & more"})
    await hers.delete(f"/appointments/{numbers[1]}/delete/")
    before = await kept(app)
    response = await hers.post(undo)
    assert response.status_code == 409
    page = await text(response)
    assert re.findall(r"<li>(.*?)</li>", page) == ["“A & more”", "One that has been deleted"]
    assert re.findall(r'name="changed" value="(\w+)"', page) == ["all", "others"]
    assert await kept(app) == before
    response = await hers.post(undo, form={"changed": "others"})
    message, back = await sent(hers, response)
    assert message == "Undone. 1 appointment is as before."
    assert titles(await text(await hers.get(LIST))) == ["A & more"]
    await hers.post(back)
    assert await kept(app) == before


async def test_a_single_one_that_has_changed_since_can_be_undone_all_the_same(
    app: Quart, hers: Client
) -> None:
    address = await make(hers)
    before = await kept(app)
    await hers.get(LIST)
    edit = f"{address}edit/"
    _, undo = await sent(hers, await hers.post(edit, form=DENTIST | {"title": "Surgery"}))
    await hers.post(edit, form=DENTIST | {"title": "Holiday"})
    response = await hers.post(undo)
    assert response.status_code == 409
    page = await text(response)
    assert "“Holiday” has been changed since then." in page
    assert re.findall(r'name="changed" value="(\w+)"', page) == ["all"]
    await hers.post(f"{address}delete/")
    page = await text(await hers.post(undo))
    assert "“Surgery” has been deleted since then." in page
    assert landed(await hers.post(undo, form={"changed": "all"})) == (303, address)
    assert await kept(app) == before


async def test_what_has_been_undone_since_is_not_in_the_way(
    app: Quart, hers: Client, other_calendar: int
) -> None:
    """So acts can be undone one by one, the last one first, from the trash as well."""
    address = await make(hers)
    before = await kept(app)
    await hers.get(LIST)
    edit, calendar = f"{address}edit/", {"calendar": str(other_calendar)}
    steps = [
        (edit, DENTIST | {"title": "Surgery"}),
        (edit, DENTIST | {"title": "Surgery"} | calendar),
        (edit, DENTIST | {"title": "Holiday", "location": ""} | calendar),
        (f"{address}delete/", {}),
    ]
    undos = [(await sent(hers, await hers.post(path, form=form)))[1] for path, form in steps]
    assert (await hers.post(undos[1])).status_code == 409
    for undo in reversed(undos):
        assert landed(await hers.post(undo)) == (303, address)
    assert await kept(app) == before


async def test_what_was_changed_back_by_hand_is_asked_about(app: Quart, hers: Client) -> None:
    """It reads the same, but is another text, with a time of change of its own."""
    address = await make(hers)
    await hers.get(LIST)
    edit = f"{address}edit/"
    _, undo = await sent(hers, await hers.post(edit, form=DENTIST | {"title": "Surgery"}))
    for later in ("Holiday", "Surgery"):
        with time_machine.travel(now() + timedelta(hours=1), tick=False):
            await hers.post(edit, form=DENTIST | {"title": later})
    assert (await hers.post(undo)).status_code == 409


async def test_what_another_has_taken_meanwhile_stays_with_it(
    app: Quart, alice: User, hers: Client
) -> None:
    address = await make(hers)
    (dentist,) = await all_rows(app, Appointment)
    _, undo = await sent(hers, await hers.post(f"{address}delete/"))
    async with app.app_context(), begin() as db, changes.act(db, alice.id, "import") as act:
        act.put(dentist.calendar_id, derive(dentist.ics, now()))
    before = await kept(app)
    response = await hers.post(undo)
    (message,), _ = await said(hers, response.location)
    assert message.startswith("Nothing has been undone: another appointment has taken its place")
    assert await kept(app) == before
    assert (await all_rows(app, Act))[-1].kind == "import"


async def test_a_deleted_calendar_comes_back_and_what_was_in_it_only_then(
    app: Quart, alice: User, hers: Client, other_calendar: int
) -> None:
    address = await make(hers, calendar=str(other_calendar))
    _, undo = await sent(hers, await hers.post(f"{address}delete/"))
    async with app.app_context(), begin() as db:
        act_id = await calendar_changes.delete(db, alice.id, other_calendar)
    response = await hers.post(undo)
    (message,), _ = await said(hers, response.location)
    assert message == (
        "Nothing has been undone: the calendar “Work” has been deleted. "
        "Bring it back first, from the trash."
    )
    message, again = await sent(hers, await hers.post(f"/undo/{act_id}/"))
    assert message == "Undone. The calendar “Work” is back."
    assert (await hers.post(undo)).location == address
    assert (await hers.get(address)).status_code == 200
    assert (await sent(hers, await hers.post(again)))[0] == (
        "Undone. The calendar “Work” has been deleted."
    )
    assert (await hers.get(address)).status_code == 404
    assert [row.deleted_at is None for row in await all_rows(app, Calendar)] == [True, False]
    assert (
        trash_lines(await text(await hers.get("/trash/")))[0] == "The calendar “Work” was deleted"
    )


async def test_what_was_done_to_a_calendar_is_not_undone_the_wrong_way_round(
    app: Quart, hers: Client, other_calendar: int
) -> None:
    calendar = f"/calendars/{other_calendar}/"
    _, undo = await sent(hers, await hers.post(f"{calendar}delete/"))
    response = await hers.post(undo)
    assert response.location == "/calendars/"
    _, old = await sent(hers, response)
    await hers.post(f"{calendar}delete/")
    await hers.get(LIST)
    assert (await said(hers, (await hers.post(old)).location))[0] == [calendar_changes.AS_WANTED]
    assert (await hers.get(f"{calendar}edit/")).status_code == 404


async def test_a_calendar_that_was_deleted_long_ago_is_gone_for_good(
    app: Quart, hers: Client, other_calendar: int
) -> None:
    _, undo = await sent(hers, await hers.post(f"/calendars/{other_calendar}/delete/"))
    with time_machine.travel(now() + timedelta(days=31), tick=False):
        async with app.app_context():
            await purge()
        hers = await signed_in(app, "alice@example.org")
        response = await hers.post(undo)
        assert response.status_code == 404
        assert "After that, what was deleted is gone." in await text(response)
        assert "Empty" in await text(await hers.get("/trash/"))
    assert len(await all_rows(app, Calendar)) == 1


async def test_five_messages_with_the_longest_titles_fit_into_the_cookie(hers: Client) -> None:
    """With a button each: letters that no compression makes short are cut."""
    for number in range(6):
        title = "".join(
            chr(0x1F300 + (number * 97 + place * place * 31) % 700) for place in range(255)
        )
        await make(hers, title=title)
    addresses = re.findall(r"/appointments/\d+/", await text(await hers.get(LIST)))
    for address in addresses:
        assert (await hers.post(f"{address}delete/")).status_code == 303
    messages, buttons = await said(hers, LIST)
    assert len(messages) == len(buttons) == 5
    assert all(message.endswith("…” has been deleted.") for message in messages)


async def test_a_script_is_told_nothing_that_a_page_should_say(hers: Client) -> None:
    address = await make(hers)
    await hers.get(LIST)
    assert await (await hers.delete(f"{address}delete/")).get_json() == {"status": "OK"}
    assert await said(hers, LIST) == ([], [])


# The trash


def trash_lines(page: str) -> list[str]:
    return re.findall(r"<h2>([^<]*)</h2>", page)


async def test_the_trash_holds_what_was_deleted_or_overwritten_newest_first(
    app: Quart, hers: Client, mallory: User, other_calendar: int
) -> None:
    address = await make(hers)
    form = DENTIST | {"title": "Surgery"}
    await hers.post(f"{address}edit/", form=form)
    await hers.post(f"{address}edit/", form=form | {"calendar": str(other_calendar)})
    await hers.delete(f"{address}delete/")
    assert "/trash/" in await text(await hers.get(LIST))
    page = await text(await hers.get("/trash/"))
    moved = "“Surgery” was moved to another calendar"
    assert trash_lines(page) == ["“Surgery” was deleted", moved, "“Surgery” was changed"]
    assert landed(await hers.post(BUTTON.findall(page)[0])) == (303, address)
    page = await text(await hers.get("/trash/"))
    assert trash_lines(page) == [moved, "“Surgery” was changed"]
    assert trash_lines(await text(await (await signed_in(app, mallory.email)).get("/trash/"))) == []
    async with app.app_context(), begin() as db:
        await db.execute(update(Act).values(made_at=now() - timedelta(days=30, seconds=1)))
    assert trash_lines(await text(await hers.get("/trash/"))) == []


async def test_the_trash_is_read_page_by_page(
    app: Quart, alice: User, hers: Client, mallory: User
) -> None:
    async with app.app_context(), begin() as db:
        db.add_all(Act(user_id=alice.id, kind="delete", title=f"{n}", count=1) for n in range(120))
    path, found = "/trash/", []
    while path:
        page = await text(await hers.get(path))
        lines = trash_lines(page)
        assert len(lines) <= 50
        found += lines
        more = re.search(r'href="(/trash/[?]after=[0-9]+)"', page)
        path = more[1] if more else ""
    assert found == [f"“{n}” was deleted" for n in reversed(range(120))]
    mallorys = await signed_in(app, mallory.email)
    assert (await mallorys.get("/trash/?after=50")).status_code == 404
    for wrong in ("x", "", "-1", "9" * 30):
        assert (await hers.get(f"/trash/?after={wrong}")).status_code == 400
