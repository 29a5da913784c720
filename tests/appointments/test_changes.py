"""Acts: what they leave behind, what they refuse, and that undo brings back all of it."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import event, select, update

from sched_async.appointments import acts, calendar_changes, changes, counts, storing
from sched_async.appointments.acts import ChangedError, RepeatedError, TakenError
from sched_async.appointments.checking import differences
from sched_async.appointments.reading import facts_of
from sched_async.appointments.undo import Conflict, GoneError, Undone, undo
from sched_async.database import begin, reading
from sched_async.errors import RefusedError
from sched_async.ics.derive import Derived, derive
from sched_async.ics.ics_text import new_text, patched
from sched_async.models import Act, Appointment, Calendar, Change, Occurrence, User
from sched_async.times import now

from ..rows import all_rows
from ..servers import ROOT
from . import add, timed

pytestmark = pytest.mark.databases("sqlite", "postgresql")

WEEKLY = "RRULE:FREQ=WEEKLY;COUNT=20"
# The modules that may write to these tables: the door, and what nobody has changed.
WRITERS = {
    "acts",
    "calendar_changes",
    "changes",
    "storing",
    "undo",
    "upkeep",
    "first_calendar",
    "purging",
    "zones",
}
GUARDED = {"Act", "Appointment", "Calendar", "Change", "Occurrence"}
TABLES = ("act", "appointment", "calendar", "change", "occurrence")


def text(title: str = "Dentist", rule: str = "", start: str = "2030-05-06T09:00") -> str:
    made = new_text(timed(title, start), now())
    return made.replace("SUMMARY", f"{rule}\r\nSUMMARY") if rule else made


def made(title: str = "Dentist", rule: str = "") -> Derived:
    return derive(text(title, rule), now())


@pytest.fixture
async def calendars(app: Quart, alice: User) -> tuple[int, int]:
    """Two of Alice's."""
    async with app.app_context(), begin() as db:
        await calendar_changes.add(db, alice.id, "Work", "amber")
    first, second = [row.id for row in await all_rows(app, Calendar) if row.user_id == alice.id]
    return first, second


async def rows(app: Quart) -> dict[str, list[dict[str, Any]]]:
    """Appointments but for their revision, and occurrences."""
    async with app.app_context(), reading() as db:
        found = {}
        for model in (Appointment, Occurrence):
            table: Any = model.__table__
            query = select(table).order_by(*table.primary_key)
            found[table.name] = [dict(row) for row in (await db.execute(query)).mappings()]
    for row in found["appointment"]:
        del row["rev"]
    return found


async def do(app: Quart, user: User, kind: str, *steps: Any, **named: Any) -> acts.Act:
    person = user.id
    async with app.app_context(), begin() as db, changes.act(db, person, kind, **named) as act:
        for step in steps:
            step(act)
    return act


async def take_back(app: Quart, user: User, act_id: int, changed: str = "ask") -> Undone | Conflict:
    async with app.app_context(), begin() as db:
        return await undo(db, user.id, act_id, changed=changed)


async def sound(app: Quart) -> list[str]:
    async with app.app_context():
        return [line async for line in differences()]


async def current(app: Quart) -> Appointment:
    return (await all_rows(app, Appointment))[0]


async def test_an_act_raises_the_revision_and_keeps_what_was_before(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    first, second = calendars
    await do(app, alice, "create", lambda act: act.put(first, made()))
    one = await current(app)
    await do(app, alice, "edit", lambda act: act.replace(one, made("Optician")))
    two = await current(app)
    await do(app, alice, "move", lambda act: act.move(two, second))
    three = await current(app)
    await do(app, alice, "delete", lambda act: act.delete(three))
    kept = [(row.calendar_id, row.rev, row.before) for row in await all_rows(app, Change)]
    assert kept == [
        (first, 1, None),
        (first, 2, one.ics),
        (first, 3, two.ics),
        (second, 1, None),
        (second, 2, three.ics),
    ]
    kinds = [act.kind for act in await all_rows(app, Act)]
    assert kinds == ["create_calendar", "create", "edit", "move", "delete"]
    counted = [(c.rev, c.appointments, c.occurrences) for c in await all_rows(app, Calendar)]
    assert counted == [(3, 0, 0), (2, 0, 0)]
    assert await all_rows(app, Occurrence) == []


@pytest.mark.parametrize("rule", ["", WEEKLY, "RRULE:FREQ=DAILY"])
async def test_undo_of_any_act_brings_back_text_columns_and_occurrences(
    app: Quart, alice: User, calendars: tuple[int, int], rule: str
) -> None:
    """And undo of the undo what was before that."""
    first, second = calendars
    await do(app, alice, "create", lambda act: act.put(first, made("Dentist", rule)))
    await add(app, alice, timed("Other", "2030-01-01T10:00"))

    async def steps() -> list[Any]:
        one = await current(app)
        shown = facts_of(one)
        later = replace(shown, end=shown.end + timedelta(days=40), title="Retreat")
        new = derive(patched(one.ics, shown, later, now()), now())
        return [
            lambda act: act.delete(one),
            lambda act: act.replace(one, new),
            lambda act: act.move(one, second),
            lambda act: act.replace(one, new, second),
            lambda act: act.put(second, made("New", rule)),
        ]

    for number in range(len(await steps())):
        before = await rows(app)
        act = await do(app, alice, "edit", (await steps())[number])
        after = await rows(app)
        assert after != before
        undone = await take_back(app, alice, act.id)
        assert isinstance(undone, Undone)
        assert await rows(app) == before
        again = await take_back(app, alice, undone.act_id)
        assert isinstance(again, Undone)
        assert await rows(app) == after
        assert isinstance(await take_back(app, alice, again.act_id), Undone)
        assert await rows(app) == before
        assert await sound(app) == []


async def test_undo_is_asked_about_what_has_changed_since(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    ids = await add(app, alice, timed("One", "2030-01-01T10:00"), timed("Two", "2030-01-02T10:00"))
    one, two = await all_rows(app, Appointment)
    first = await do(
        app,
        alice,
        "edit",
        lambda act: act.replace(one, made("First")),
        lambda act: act.replace(two, made("Second")),
    )
    seen = await current(app)
    await do(app, alice, "edit", lambda act: act.replace(seen, made("Third")))
    assert await take_back(app, alice, first.id) == Conflict({ids[0]: "Third"})
    assert isinstance(await take_back(app, alice, first.id, "others"), Undone)
    assert [row.title for row in await all_rows(app, Appointment)] == ["Third", "Two"]
    with pytest.raises(RefusedError, match="undone already"):
        await take_back(app, alice, first.id)


async def test_nobody_else_can_undo_and_nobody_after_thirty_days(
    app: Quart, alice: User, mallory: User, calendars: tuple[int, int]
) -> None:
    act = await do(app, alice, "create", lambda act: act.put(calendars[0], made()))
    with pytest.raises(GoneError):
        await take_back(app, mallory, act.id)
    async with app.app_context(), begin() as db:
        await db.execute(update(Act).values(made_at=now() - timedelta(days=31)))
    with pytest.raises(GoneError):
        await take_back(app, alice, act.id)


async def test_what_another_has_taken_meanwhile_is_not_taken_from_it(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    await do(app, alice, "create", lambda act: act.put(calendars[0], made()))
    one = await current(app)
    gone = await do(app, alice, "delete", lambda act: act.delete(one))
    same = derive(one.ics, now())
    await do(app, alice, "create", lambda act: act.put(calendars[0], same))
    before = await rows(app)
    with pytest.raises(TakenError):
        await take_back(app, alice, gone.id)
    assert await rows(app) == before


async def test_one_act_gives_no_name_twice_but_may_take_one_that_it_deletes(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    first, second = calendars
    await do(app, alice, "create", lambda act: act.put(first, made(), href="1.ics"))
    one = await current(app)
    same, other = derive(one.ics, now()), made("Other")
    before = await rows(app)
    for steps in (
        [lambda act: act.put(second, same), lambda act: act.put(second, same)],
        [lambda act: act.put(second, same), lambda act: act.move(one, second)],
        [lambda act: act.put(first, same)],
        [lambda act: act.put(first, other, href="1.ics")],
        [lambda act: act.put(second, same, href="2"), lambda act: act.put(second, other, href="2")],
    ):
        with pytest.raises(TakenError):
            await do(app, alice, "import", *steps)
        assert await rows(app) == before
    replacing = (lambda act: act.delete(one), lambda act: act.put(first, same, href="1.ics"))
    await do(app, alice, "import", *replacing)
    assert (await current(app)).id != one.id


async def test_what_was_changed_meanwhile_is_not_written_over(
    app: Quart, alice: User, mallory: User, calendars: tuple[int, int]
) -> None:
    await do(app, alice, "create", lambda act: act.put(calendars[0], made()))
    one = await current(app)
    await do(app, alice, "edit", lambda act: act.replace(one, made("Optician")))
    for step in (
        lambda act: act.replace(one, made("Barber")),
        lambda act: act.delete(one),
        lambda act: act.move(one, calendars[1]),
    ):
        with pytest.raises(ChangedError):
            await do(app, alice, "edit", step)
    with pytest.raises(ChangedError):
        await do(app, mallory, "create", lambda act: act.put(calendars[0], made()))
    assert (await current(app)).title == "Optician"


async def test_a_form_that_was_sent_before_leads_to_what_it_made(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    await do(app, alice, "create", lambda act: act.put(calendars[0], made()), submission="key")
    one = await current(app)
    with pytest.raises(RepeatedError) as repeated:
        await do(app, alice, "create", lambda act: act.put(calendars[0], made()), submission="key")
    assert repeated.value.appointment_id == one.id
    await do(app, alice, "delete", lambda act: act.delete(one))
    await do(app, alice, "create", lambda act: act.put(calendars[0], made()), submission="key")
    assert (await current(app)).id != one.id


async def test_there_is_an_end_to_what_one_person_can_keep(
    app: Quart, alice: User, calendars: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counts, "MOST_APPOINTMENTS", 2)
    monkeypatch.setattr(counts, "MOST_OF_A_PERSON", 21)
    monkeypatch.setattr(calendar_changes, "MOST_CALENDARS", 2)
    await do(app, alice, "create", lambda act: act.put(calendars[0], made()))
    await do(app, alice, "create", lambda act: act.put(calendars[1], made("A", WEEKLY)))
    with pytest.raises(RefusedError, match="at most 2 appointments"):
        await do(app, alice, "create", lambda act: act.put(calendars[1], made()))
    one = await current(app)
    with pytest.raises(RefusedError, match="at most 21 occurrences"):
        await do(app, alice, "edit", lambda act: act.replace(one, made("B", WEEKLY)))
    with pytest.raises(RefusedError, match="at most 2 calendars"):
        async with app.app_context(), begin() as db:
            await calendar_changes.add(db, alice.id, "Third", "rose")
    await do(app, alice, "edit", lambda act: act.move(one, calendars[1]))
    assert await sound(app) == []


async def test_a_deleted_calendar_comes_back_with_all_that_is_in_it(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    await do(app, alice, "create", lambda act: act.put(calendars[0], made("Dentist", WEEKLY)))
    before = await rows(app)
    async with app.app_context(), begin() as db:
        act_id = await calendar_changes.delete(db, alice.id, calendars[0])
    async with app.app_context(), reading() as db:
        assert (await db.scalars(Appointment.readable_by(alice.id))).all() == []
    with pytest.raises(RefusedError, match="only calendar"):
        async with app.app_context(), begin() as db:
            await calendar_changes.delete(db, alice.id, calendars[1])
    undone = await take_back(app, alice, act_id)
    assert isinstance(undone, Undone)
    assert await rows(app) == before
    async with app.app_context(), reading() as db:
        assert len((await db.scalars(Calendar.readable_by(alice.id))).all()) == 2
    await take_back(app, alice, undone.act_id)
    async with app.app_context(), reading() as db:
        assert len((await db.scalars(Calendar.readable_by(alice.id))).all()) == 1


async def test_a_check_says_what_is_not_as_its_text_has_it(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    await do(app, alice, "create", lambda act: act.put(calendars[0], made("Dentist", WEEKLY)))
    assert await sound(app) == []
    async with app.app_context(), begin() as db:
        await db.execute(update(Appointment).values(title="Other"))
        await db.execute(update(Occurrence).values(end_utc=datetime(2040, 1, 1).astimezone()))
        await db.execute(update(Calendar).values(appointments=7))
    one = await current(app)
    assert await sound(app) == [
        f"appointment {one.id}: title, occurrences",
        *(f"calendar {number}: how much is in it" for number in calendars),
    ]


@contextmanager
def rows_written(app: Quart) -> Iterator[list[int]]:
    """How many rows each statement writes meanwhile."""
    counts: list[int] = []

    def note(*given: Any) -> None:
        *_, parameters, _, is_many = given
        counts.append(len(parameters) if is_many else 1)

    engine = app.extensions["database"].write_engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield counts
    event.remove(engine, "before_cursor_execute", note)


async def test_a_long_series_is_written_a_few_rows_at_a_time(
    app: Quart, alice: User, calendars: tuple[int, int]
) -> None:
    """Others get their turn in between; to change all of it takes no more than to make it."""
    daily = "RRULE:FREQ=DAILY;COUNT=2000"
    other = derive(text("Dentist", daily, "2030-05-06T10:00"), now())
    with rows_written(app) as creating:
        await do(app, alice, "create", lambda act: act.put(calendars[0], made("A", daily)))
    one = await current(app)
    with rows_written(app) as changing:
        await do(app, alice, "edit", lambda act: act.replace(one, other))
    assert max(creating + changing) == storing.MANY
    assert len(changing) < len(creating) + 15
    assert await sound(app) == []


def writes(path: Path) -> Iterator[str]:
    """What a module does to these tables: rows that it makes, statements that change them."""
    tree = ast.parse(path.read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = {
        alias.asname or alias.name
        for node in imports
        if (node.module or "").endswith("models")
        for alias in node.names
        if alias.name in GUARDED
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            named = {getattr(one, "id", "") for one in node.args}
            if name in ours:
                yield f"makes {name}"
            if name in ("insert", "update", "delete") and named & ours:
                yield f"{name}s {sorted(named & ours)}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.upper().split()
            verbs = {"INTO", "UPDATE", "FROM"} & set(words)
            tables = {table.upper() for table in TABLES} & set(words)
            if words[:1] in (["INSERT"], ["UPDATE"], ["DELETE"]) and verbs and tables:
                yield node.value[:60]


def test_only_one_door_leads_to_these_tables() -> None:
    for path in (ROOT / "sched_async").rglob("*.py"):
        if path.stem not in WRITERS and "migrations" not in path.parts:
            assert list(writes(path)) == [], path


def test_the_test_of_the_door_sees_who_writes() -> None:
    for name in ("changes", "storing", "calendar_changes", "upkeep"):
        path = ROOT / "sched_async" / "appointments" / f"{name}.py"
        found = list(writes(path))
        assert found or "insert(appointments)" in path.read_text("utf-8"), name
