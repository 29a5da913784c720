"""A long list, fifty at a time: every appointment once, in order."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from quart import Quart

from sched_async.ics.ics_text import Facts
from sched_async.models import User
from sched_async.testing import Client

from ..pages import text
from . import LIST, add, headings, more, timed, titles, whole_days
from .test_list import move

PAST = LIST + "?past=1"

pytestmark = pytest.mark.usefixtures("morning")  # Tuesday, 24 November 2026, 9:30 in Berlin


def day(number: int, first: str) -> str:
    return f"{datetime.fromisoformat(first) + timedelta(days=number):%Y-%m-%d}"


def hourly(first: str, zone: str) -> list[Facts]:
    begin = datetime.fromisoformat(first)
    times = [begin + timedelta(hours=number) for number in range(120)]
    return [timed(f"{at:%d %H}", at.isoformat(), zone=zone) for at in times]


def all_at_once(first: str, zone: str) -> list[Facts]:
    return [timed(f"Clone {number}", f"{first}T12:00", zone=zone) for number in range(120)]


def one_day(first: str, zone: str) -> list[Facts]:
    return [whole_days(f"Feast {number}", first) for number in range(120)]


def mixed(first: str, zone: str) -> list[Facts]:
    """Whole days, times at midnight, which is when those begin, and times at noon."""
    return [
        appointment
        for number in range(10)
        for appointment in (
            *(whole_days(f"{number} feast {i}", day(number, first)) for i in range(4)),
            *(timed(f"{number} midnight {i}", day(number, first), zone=zone) for i in range(4)),
            *(
                timed(f"{number} noon {i}", f"{day(number, first)}T12:00", zone=zone)
                for i in "abcd"
            ),
        )
    ]


def one_midnight(first: str, zone: str) -> list[Facts]:
    """The whole days end, and the times begin, in the middle of a page."""
    return [
        *(whole_days(f"Feast {number}", first) for number in range(70)),
        *(timed(f"Midnight {number}", first, zone=zone) for number in range(50)),
    ]


def long_ones(first: str, zone: str) -> list[Facts]:
    """Each begins a day later than the one before and goes on for weeks."""
    return [whole_days(f"Trip {i}", day(i, first), day(i + 100, first)) for i in range(120)]


def shuffled(appointments: list[Facts]) -> list[Facts]:
    """Later days first, times before whole days; the order among equals stays."""
    by_kind = sorted(appointments, key=lambda each: each.allday)
    return sorted(by_kind, key=lambda each: each.start, reverse=True)


async def read_on(client: Client, path: str | None) -> list[list[str]]:
    """The titles on each page, from this one on."""
    pages = []
    while path is not None:
        page = await text(await client.get(path))
        pages.append(titles(page))
        assert len(pages) < 10, "the list has an end"
        path = more(page)
    return pages


async def assert_read_in_order(client: Client, path: str, expected: list[str]) -> None:
    pages = await read_on(client, path)
    assert [title for page in pages for title in page] == expected
    assert [len(page) for page in pages] == [50, 50, 20]
    first = headings(await text(await client.get(path)))
    assert len(set(first)) == len(first), "no heading comes twice"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Pacific/Pago_Pago"])
@pytest.mark.parametrize(
    "kind", [hourly, all_at_once, one_day, mixed, one_midnight, long_ones], ids=lambda f: f.__name__
)
async def test_no_appointment_is_lost_or_doubled_between_pages(
    app: Quart,
    alice: User,
    hers: Client,
    kind: Callable[[str, str], list[Facts]],
    zone: str,
) -> None:
    await move(app, alice, zone)
    to_come, over = kind("2026-12-10", zone), kind("2025-03-10", zone)
    await add(app, alice, *shuffled(to_come), *shuffled(over))
    await assert_read_in_order(hers, LIST, [each.title for each in to_come])
    await assert_read_in_order(hers, PAST, [each.title for each in reversed(over)])


async def test_what_goes_on_comes_first_and_continues_on_the_next_page(
    app: Quart, alice: User, hers: Client
) -> None:
    trips = long_ones("2026-09-01", "Europe/Berlin")
    await add(app, alice, *shuffled(trips))
    pages = await read_on(hers, LIST)
    assert [title for page in pages for title in page] == [trip.title for trip in trips]
    first = await text(await hers.get(LIST))
    assert headings(first) == ["Today"]


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        # The clocks go back or forward in these nights, some of them at midnight.
        ("Europe/Berlin", "2027-03-26"),
        ("Europe/Berlin", "2027-10-29"),
        ("Australia/Lord_Howe", "2027-04-02"),
        ("Australia/Lord_Howe", "2027-10-01"),
        ("America/Santiago", "2027-04-02"),
        ("America/Havana", "2027-11-05"),
        ("Asia/Beirut", "2027-10-29"),
    ],
)
@pytest.mark.parametrize("kind", [hourly, mixed], ids=lambda f: f.__name__)
async def test_nor_in_a_week_in_which_clocks_change(
    app: Quart,
    alice: User,
    hers: Client,
    kind: Callable[[str, str], list[Facts]],
    zone: str,
    first: str,
) -> None:
    """The times are in UTC, so that they meet both passes of an hour that happens twice."""
    await move(app, alice, zone)
    await add(app, alice, *shuffled(kind(first, "UTC")))
    pages = await read_on(hers, LIST)
    read = [title for page in pages for title in page]
    assert sorted(read) == sorted(each.title for each in kind(first, "UTC"))
    assert [len(page) for page in pages] == [50, 50, 20]


def date_line() -> list[Facts]:
    """30 December 2011 was skipped: these two days begin at one instant."""
    return [whole_days(f"{day} feast {i}", f"2011-12-{day}") for i in range(60) for day in (31, 30)]


def midnight_twice() -> list[Facts]:
    """7 November 2010 had begun when clocks went back to 23:01; the times are after that."""
    return [
        *(whole_days(f"Feast {number}", "2010-11-07") for number in range(60)),
        *(timed(f"Late {number}", "2010-11-07T03:00", zone="UTC") for number in range(60)),
    ]


@pytest.mark.parametrize(
    ("zone", "kind"),
    [
        ("Pacific/Apia", date_line),
        ("Pacific/Fakaofo", date_line),
        ("America/St_Johns", midnight_twice),
    ],
)
async def test_nor_where_days_overlap(
    app: Quart, alice: User, hers: Client, zone: str, kind: Callable[[], list[Facts]]
) -> None:
    await move(app, alice, zone)
    await add(app, alice, *kind())
    pages = await read_on(hers, PAST)
    read = [title for page in pages for title in page]
    assert sorted(read) == sorted(each.title for each in kind())


@pytest.mark.parametrize("after", ["", "soon", "1.1.-1"])
async def test_a_place_that_no_page_begins_at_is_refused(hers: Client, after: str) -> None:
    assert (await hers.get(f"{LIST}?after={after}")).status_code == 400


@pytest.mark.parametrize(("count", "sizes"), [(49, [49]), (50, [50]), (51, [50, 1])])
@pytest.mark.parametrize("path", [LIST, PAST])
async def test_there_is_another_page_only_when_something_is_on_it(
    app: Quart, alice: User, hers: Client, path: str, count: int, sizes: list[int]
) -> None:
    first = "2026-12-10" if path == LIST else "2025-03-10"
    await add(app, alice, *mixed(first, "Europe/Berlin")[:count])
    assert [len(page) for page in await read_on(hers, path)] == sizes


@pytest.mark.parametrize(("path", "word"), [(LIST, "Later"), (PAST, "Earlier")])
async def test_the_way_to_the_next_page_says_where_it_leads(
    app: Quart, alice: User, hers: Client, path: str, word: str
) -> None:
    first = "2026-12-10" if path == LIST else "2025-03-10"
    await add(app, alice, *hourly(first, "Europe/Berlin"))
    page = await text(await hers.get(path))
    assert f"{word} appointments</a>" in page
    assert ("past=1" in (more(page) or "")) == (path == PAST)


async def test_what_is_made_or_deleted_meanwhile_moves_nothing_on_the_next_page(
    app: Quart, alice: User, hers: Client
) -> None:
    to_come = hourly("2026-12-10", "Europe/Berlin")
    ids = await add(app, alice, *to_come)
    following = more(await text(await hers.get(LIST)))
    await add(app, alice, timed("In between", "2026-12-10T00:30"))
    for gone in (ids[0], ids[49]):
        assert (await hers.delete(f"/appointments/{gone}/delete/")).status_code == 200
    pages = await read_on(hers, following)
    assert [title for page in pages for title in page] == [each.title for each in to_come[50:]]
