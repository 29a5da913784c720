"""Search: what is found by which words, in which order."""

import re
from dataclasses import replace

import pytest
from quart import Quart

from sched_async.appointments.words import marked, words_of
from sched_async.models import User
from sched_async.testing import Client

from ..pages import text
from . import add, put, timed, whole_days
from .views.test_pages import repeating

pytestmark = [
    pytest.mark.usefixtures("morning"),  # Tuesday, 24 November 2026, 9:30 in Berlin
    pytest.mark.databases("sqlite", "postgresql"),
]


async def found(hers: Client, words: str) -> dict[str, list[str]]:
    """The hits of both parts: when, and what."""
    page = await text(await hers.get("/search/", query_string={"q": words}))
    parts = re.findall(r'<h2 id="hits-\d">(.*?) <span.*?</h2>(.*?)</section>', page, re.DOTALL)
    hits = r'<span class="time">(.*?)</span>\s*<a href="[^"]*"><bdi>(.*?)</bdi></a>'
    return {
        name: [f"{re.sub('<.*?>', '', hit[1])} ({hit[0]})" for hit in re.findall(hits, part)]
        for name, part in parts
    }


WORDS = [
    ("dentist", ["Dentist"]),
    ("MÜLLER", ["Dentist"]),
    ("muller dent", ["Dentist"]),
    ("strasse", ["Dentist"]),
    ("50%", ["Sale"]),
    ("5_%", []),
    ("a_b", ["Sale"]),
    ("back\\slash", ["Sale"]),
    ("50% dentist", []),
    ("ДЕНЬ", ["День"]),
    ("x-ray", ["Dentist"]),
    ("'); drop", []),
]


async def test_words_are_found_in_any_order_whatever_their_case_and_accents(
    hers: Client, app: Quart, alice: User
) -> None:
    dentist = timed("Dentist: Müller", "2026-11-26T14:00")
    await add(
        app,
        alice,
        replace(dentist, location="Hauptstraße 5", description="Bring the X-Ray"),
        whole_days("Sale 50% a_b back\\slash", "2026-11-27"),
        whole_days("День", "2026-11-28"),
    )
    for words, titles in WORDS:
        hits = [one for part in (await found(hers, words)).values() for one in part]
        assert [one.split()[0].rstrip(":") for one in hits] == titles, words


async def test_what_comes_is_first_and_a_series_is_found_once(
    hers: Client, app: Quart, alice: User
) -> None:
    weekly = repeating(timed("Choir practice", "2026-10-06T19:30"), "FREQ=WEEKLY;COUNT=20")
    ended = repeating(timed("Choir trip", "2025-10-06T19:30"), "FREQ=DAILY;COUNT=3")
    await put(app, alice, weekly, ended)
    await add(
        app, alice, timed("Choir supper", "2026-11-24T10:00"), timed("Choir", "2026-01-10T10:00")
    )
    assert await found(hers, "choir") == {
        "Coming up": [
            "Choir supper (Tue 24 November 2026, 10:00)",
            "Choir practice (Tue 24 November 2026, 19:30)",
        ],
        "Past": [
            "Choir (Sat 10 January 2026, 10:00)",
            "Choir trip (Wed 8 October 2025, 19:30)",
        ],
    }


async def test_one_of_a_series_is_found_by_what_only_it_says(
    hers: Client, app: Quart, alice: User
) -> None:
    weekly = repeating(timed("Choir", "2026-12-01T19:30"), "FREQ=WEEKLY;COUNT=5")
    event = weekly[weekly.index("BEGIN:VEVENT") : weekly.index("END:VCALENDAR")]
    override = re.sub(r"RRULE:.*\r\n", "", event).replace("SUMMARY:Choir", "SUMMARY:Concert")
    override = re.sub(r"(DTSTART|DTEND)(.*?):20261201", r"\1\2:20261215", override)
    original = "RECURRENCE-ID;TZID=Europe/Berlin:20261215T193000\r\n"
    override = override.replace("END:VEVENT", f"{original}END:VEVENT")
    await put(app, alice, weekly.replace("END:VCALENDAR", f"{override}END:VCALENDAR"))
    assert await found(hers, "concert") == {"Coming up": ["Concert (Tue 15 December 2026, 19:30)"]}
    assert await found(hers, "choir") == {"Coming up": ["Choir (Tue 1 December 2026, 19:30)"]}


async def test_of_many_the_first_fifty_are_shown_and_all_are_counted(
    hers: Client, app: Quart, alice: User
) -> None:
    await add(
        app, alice, *(timed(f"Lesson {n}", f"2026-12-{n % 28 + 1:02}T10:00") for n in range(60))
    )
    page = await text(await hers.get("/search/?q=lesson"))
    assert 'Coming up <span class="count">60</span>' in page
    assert "The first 50 are shown." in page


@pytest.mark.databases("sqlite")
async def test_a_search_without_words_or_hits_says_so(hers: Client) -> None:
    assert "Nothing has been found" not in await text(await hers.get("/search/?q=+"))
    page = await text(await hers.get("/search/?q=%3Cb%3E"))
    assert "Nothing has been found for “<bdi><b></bdi>”" in page


@pytest.mark.databases("sqlite")
def test_the_words_are_marked_where_they_were_found() -> None:
    for title, words, expected in (
        ("Straßenfest in Köln", "KOLN strasse", "[Straße]nfest in [Köln]"),
        ("Ananas", "ana", "[Anana]s"),
        ("Café", "cafe\u0301", "[Café]"),
        ("plain", "other", "plain"),
        ("", "x", ""),
    ):
        pieces = marked(title, words_of(words))
        assert "".join(f"[{part}]" if hit else part for part, hit in pieces) == expected
