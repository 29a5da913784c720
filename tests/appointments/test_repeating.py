"""Appointments that repeat: made and changed by the form, one, from one on, or all."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from quart import Quart

from sched_async.models import Act, Appointment, Occurrence, User
from sched_async.testing import Client

from ..pages import hidden_fields, text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, landed, make, problem, put, value

WEEKLY = {"repeat": "weekly", "every": "1", "days": "MO", "ends": "after", "count": "4"}
CHOIR = DENTIST | WEEKLY | {"title": "Choir"}  # on Mondays: 6, 13, 20 and 27 May 2030
SECOND = "2030-05-13T09:00"

both_databases = pytest.mark.databases("sqlite", "postgresql")


async def starts(app: Quart) -> list[str]:
    """When all that there is begins, in Berlin's summer time, “05-06 09”."""
    rows = await all_rows(app, Occurrence)
    return sorted(f"{one.start_utc:%m-%d} {one.start_utc.hour + 2:02}" for one in rows)


async def choir(client: Client, **changed: Any) -> str:
    return await make(client, **CHOIR | changed)


async def edit(client: Client, address: str, on: str = SECOND, **changed: Any) -> Any:
    form = CHOIR | {"start": f"{on[:10]}T09:00", "end": f"{on[:10]}T10:00"} | changed
    return await client.post(f"{address}edit/?on={quote(on)}", form=form)


MADE = [
    ({}, ["05-06 09", "05-13 09", "05-20 09", "05-27 09"], "every week on Monday, 4 times"),
    ({"days": ["MO", "WE"], "count": "3"}, ["05-06 09", "05-08 09", "05-13 09"],
     "every week on Monday and Wednesday, 3 times"),
    ({"days": "mo,we", "count": "3", "every": "2"}, ["05-06 09", "05-08 09", "05-20 09"],
     "every 2 weeks on Monday and Wednesday, 3 times"),
    ({"repeat": "daily", "ends": "on", "until": "2030-05-08"}, ["05-06 09", "05-07 09", "05-08 09"],
     "every day, until 8 May 2030"),
    ({"repeat": "monthly", "monthly_by": "weekday", "count": "2"}, ["05-06 09", "06-03 09"],
     "every month on the first Monday, 2 times"),
    ({"repeat": "monthly", "monthly_by": "last", "count": "2"}, ["05-31 09", "06-30 09"],
     "every month on the last day, 2 times"),
    ({"repeat": "rule", "rrule": "FREQ=WEEKLY;BYDAY=MO;BYMONTH=6;COUNT=2"},
     ["06-03 09", "06-10 09"], "every week on Monday in June, 2 times"),
]  # fmt: skip


@each(("changed", "expected", "words"), MADE)
@both_databases
async def test_the_form_makes_what_its_fields_say(
    app: Quart, hers: Client, changed: Any, expected: Any, words: str
) -> None:
    address = await choir(hers, **changed)
    assert await starts(app) == expected
    assert f"Repeats {words}" in await text(await hers.get(address))
    await hers.delete(f"{address}delete/")
    assert await starts(app) == []


REFUSED = [
    ({"repeat": "weekly", "every": "0"}, "every", "from 1 to 999"),
    ({"repeat": "weekly", "every": "two"}, "every", "whole number"),
    ({"repeat": "weekly", "days": "XX"}, "days", "MO, TU"),
    ({"ends": "on"}, "until", "required"),
    ({"ends": "on", "until": "2030-05-05"}, "until", "before the first one, Monday, 6 May 2030"),
    ({"ends": "after", "count": "0"}, "count", "from 1 to 10,000"),
    ({"ends": "after", "count": ""}, "count", "required"),
    ({"repeat": "rule"}, "rrule", "required"),
    ({"repeat": "rule", "rrule": "FREQ=OFTEN"}, "rrule", "cannot be read"),
    ({"repeat": "rule", "rrule": "FREQ=MINUTELY;COUNT=3"}, "rrule", "more often than hourly"),
    ({"repeat": "always"}, "repeat", "Choose one of these."),
    ({"repeat": "monthly", "monthly_by": "bogus"}, "monthly_by", "Choose one of these."),
    ({"ends": "on", "until": "2030-13-99"}, "until", "Use the format 2026-11-24."),
    # One rule, in one line, with numbers that somebody could mean.
    *(
        ({"repeat": "rule", "rrule": rule}, "rrule", "cannot be read")
        for rule in (
            "FREQ=DAILY;BYDAY=MO\nEXDATE:20300513T090000",
            "FREQ=DAILY;COUNT=2;X-A=1\r\nATTENDEE:mailto:x@example.org",
            "FREQ=DAILY;COUNT=99999999999999999999",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;rubbish",
            "FREQ=WEEKLY;BYDAY=ZZ",
        )
    ),
]


@each(("changed", "field", "sentence"), REFUSED)
async def test_what_is_no_repetition_is_refused_at_its_field(
    app: Quart, hers: Client, changed: dict[str, str], field: str, sentence: str
) -> None:
    response = await hers.post(CREATE, form=CHOIR | changed)
    page = await text(response)
    assert response.status_code == 422
    assert sentence in (problem(page, field) or "")
    assert value(page, "title") == "Choir"


RUNAWAY = [
    ("FREQ=HOURLY", "more than 2,000 times a year"),
    ("FREQ=DAILY;COUNT=10001", "more than 10,000 times"),
    ("FREQ=DAILY;UNTIL=99991231T235959Z", "more than 10,000 times"),
    ("FREQ=DAILY;UNTIL=20200101T000000Z", "It has no dates"),
    ("FREQ=DAILY;UNTIL=00010101T000000Z", "It has no dates"),
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ""),
]


@each(("rule", "sentence"), RUNAWAY)
async def test_a_rule_that_runs_away_is_refused_with_a_sentence(
    hers: Client, rule: str, sentence: str
) -> None:
    form = CHOIR | {"repeat": "rule", "rrule": rule}
    response = await hers.post(CREATE, form=form)
    assert response.status_code in (422, 303)
    assert sentence in await text(response)


async def test_fields_that_have_no_meaning_are_not_judged(app: Quart, hers: Client) -> None:
    await make(hers, **DENTIST | {"every": "x", "count": "x", "until": "x", "rrule": "x"})
    assert await starts(app) == ["05-06 09"]


async def test_a_start_that_is_not_on_the_rule_is_moved_there_and_said(
    app: Quart, hers: Client
) -> None:
    response = await hers.post(CREATE, form=CHOIR | {"days": "WE"})
    page = await text(await hers.get(response.location or ""))
    assert "It begins on Wednesday, 8 May 2030, the first day of its rule." in page
    assert (await starts(app))[0] == "05-08 09"


async def test_the_form_shows_the_rule_and_keeps_one_that_it_cannot_say(
    app: Quart, hers: Client, alice: User
) -> None:
    address = await choir(hers)
    page = await text(await hers.get(f"{address}edit/"))
    assert "Repeats every week on Monday, 4 times." in page
    assert "First dates: Mon 6 May, Mon 13 May, Mon 20 May" in page
    assert value(page, "count") == "4"
    rule = "FREQ=MONTHLY;BYDAY=MO,TU;BYSETPOS=-1;COUNT=3"
    await edit(hers, address, scope="all", repeat="rule", rrule=rule)
    page = await text(await hers.get(f"{address}edit/"))
    assert value(page, "rrule") == rule
    await hers.post(f"{address}edit/", form=DENTIST | {"title": "Other", "start": "", "end": ""})


async def test_a_script_that_says_nothing_of_the_rule_leaves_it(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    await hers.post(f"{address}edit/", form=DENTIST)
    assert len(await starts(app)) == 4
    assert "Dentist" in await text(await hers.get(address))
    await hers.post(f"{address}edit/", form=DENTIST | {"repeat": ""})
    assert await starts(app) == ["05-06 09"]


async def test_a_form_of_one_of_a_series_asks_which_are_meant(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    response = await edit(hers, address, title="Rehearsal")
    page = await text(response)
    assert response.status_code == 422
    assert "Change which ones?" in page
    assert re.findall(r'name="scope" value="(\w+)"', page) == ["one", "following", "all"]
    sent = await hidden_fields(response)
    answer = await hers.post(f"{address}edit/?on={SECOND}", form=sent | {"scope": "one"})
    assert landed(answer) == (303, f"{address}?on={SECOND}")
    titles = {one.recurrence_id: one.title for one in await all_rows(app, Occurrence)}
    assert titles[SECOND] == "Rehearsal"
    assert [title for title in titles.values() if title] == ["Rehearsal"]


async def test_a_rule_or_a_calendar_is_not_offered_to_one_alone(hers: Client) -> None:
    address = await choir(hers)
    page = await text(await edit(hers, address, count="3"))
    assert re.findall(r'name="scope" value="(\w+)"', page) == ["following", "all"]


async def test_nothing_is_asked_where_nothing_changes(hers: Client) -> None:
    address = await choir(hers)
    assert (await edit(hers, address)).status_code == 303


SCOPES = [
    ("one", ["05-06 09", "05-13 11", "05-20 09", "05-27 09"], 1),
    ("following", ["05-06 09", "05-13 11", "05-20 11", "05-27 11"], 2),
    ("all", ["05-06 11", "05-13 11", "05-20 11", "05-27 11"], 1),
]


@each(("scope", "expected", "count"), SCOPES)
@both_databases
async def test_each_scope_changes_what_it_says_and_can_be_undone(
    app: Quart, hers: Client, scope: str, expected: list[str], count: int
) -> None:
    address = await choir(hers)
    later = {"start": "2030-05-13T11:00", "end": "2030-05-13T12:00"}
    response = await edit(hers, address, scope=scope, **later)
    assert response.status_code == 303
    assert await starts(app) == expected
    assert len(await all_rows(app, Appointment)) == count
    page = await hers.get(response.location)
    assert page.status_code == 200
    undo = re.findall(r'action="(/undo/\d+/)"', await text(page))[-1]
    await hers.post(undo, form={})
    assert await starts(app) == ["05-06 09", "05-13 09", "05-20 09", "05-27 09"]
    await hers.delete(f"{address}delete/")


DELETED = [
    ({"scope": "one"}, ["05-06 09", "05-20 09", "05-27 09"]),
    ({}, ["05-06 09", "05-20 09", "05-27 09"]),
    ({"scope": "following"}, ["05-06 09"]),
    ({"scope": "all"}, []),
]


@each(("query", "expected"), DELETED)
@both_databases
async def test_a_script_deletes_what_its_query_says(
    app: Quart, hers: Client, query: dict[str, str], expected: list[str]
) -> None:
    address = await choir(hers)
    response = await hers.delete(f"{address}delete/", query_string={"on": SECOND, **query})
    assert await response.get_json() == {"status": "OK"}
    assert await starts(app) == expected
    await hers.delete(f"{address}delete/")


async def test_a_page_asks_which_to_delete_and_one_press_does_it(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    response = await hers.post(f"{address}delete/?on={SECOND}")
    assert response.status_code == 422
    assert "Delete which ones?" in await text(response)
    for _ in range(2):  # the second press finds nothing, and says the same
        answer = await hers.post(f"{address}delete/?on={SECOND}", form={"scope": "one"})
        assert "One date of “Choir” has been deleted." in await text(
            await hers.get(answer.location or "")
        )
    assert await starts(app) == ["05-06 09", "05-20 09", "05-27 09"]
    assert "One date of “Choir” was deleted" in await text(await hers.get("/trash/"))


async def test_which_ones_is_never_guessed(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    for query in ({"scope": "one"}, {"on": SECOND, "scope": "some"}):
        response = await hers.delete(f"{address}delete/", query_string=query)
        assert response.status_code == 422
        assert "Say which dates" in (await response.get_json())["message"]
    assert len(await starts(app)) == 4


async def test_what_is_not_of_the_series_is_not_found(hers: Client) -> None:
    address, single = await choir(hers), await make(hers)
    for page in (address, single):
        for on in ("2030-05-14T09:00", "2030-05-06T9:00", "0001-01-01T00:00", "x", ""):
            for view in ("", "edit/", "delete/"):
                response = await hers.get(f"{page}{view}?on={on}")
                assert response.status_code == 404, (page, view, on)
            assert (await hers.delete(f"{page}delete/?on={on}")).status_code == 404


async def test_the_rest_can_move_to_another_calendar(app: Quart, hers: Client) -> None:
    await hers.post("/calendars/create/", form={"name": "Choir", "color": "rose"})
    address = await choir(hers)
    await edit(hers, address, scope="following", calendar="2")
    assert await starts(app) == ["05-06 09", "05-13 09", "05-20 09", "05-27 09"]
    assert sorted(one.calendar_id for one in await all_rows(app, Appointment)) == [1, 2]


async def test_a_scope_means_nothing_without_a_date(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    form = CHOIR | {"scope": "one", "title": "Solo"}
    response = await hers.post(f"{address}edit/", form=form)
    assert response.status_code == 422
    assert "Say which dates" in await text(response)
    assert {one.title for one in await all_rows(app, Appointment)} == {"Choir"}


async def test_a_rule_for_one_alone_changes_nothing(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    before = len(await all_rows(app, Act))
    assert (await edit(hers, address, scope="one", count="2")).status_code == 303
    assert len(await all_rows(app, Act)) == before


@each("scope", ["following", "all"])
async def test_two_presses_of_a_button_lead_to_the_same(
    app: Quart, hers: Client, scope: str
) -> None:
    address = await choir(hers)
    sent = await hidden_fields(await hers.get(f"{address}edit/?on={SECOND}"))
    later = {"start": "2030-05-13T11:00", "end": "2030-05-13T12:00", "scope": scope}
    form = {name: sent[name] for name in ("revision", "submission")} | later
    answers = [await edit(hers, address, **form) for _ in range(2)]
    assert [one.status_code for one in answers] == [303, 303]
    titles = [one.title for one in await all_rows(app, Appointment)]
    assert titles == ["Choir"] * (2 if scope == "following" else 1)
    for row in await all_rows(app, Appointment):
        await hers.delete(f"/appointments/{row.id}/delete/")


async def test_a_date_that_never_was_has_not_been_deleted(hers: Client) -> None:
    address = await choir(hers)
    await hers.delete(f"{address}delete/?on={SECOND}")
    response = await hers.post(f"{address}delete/?on=2030-05-14T09:00", form={"scope": "one"})
    assert response.status_code == 404


async def test_one_that_is_gone_meanwhile_can_be_saved_as_new(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    opened = await hidden_fields(await hers.get(f"{address}edit/?on={SECOND}"))
    await hers.delete(f"{address}delete/?on={SECOND}")
    response = await edit(hers, address, scope="one", title="Solo", revision=opened["revision"])
    page = await text(response)
    assert response.status_code == 409
    assert "this date is no longer in it" in page
    assert value(page, "title") == "Solo"


async def test_two_versions_of_one_and_of_a_rule_are_shown(app: Quart, hers: Client) -> None:
    address = await choir(hers)
    opened = await hidden_fields(await hers.get(f"{address}edit/?on={SECOND}"))
    await edit(hers, address, scope="all", days="MO", count="3")
    response = await edit(hers, address, scope="one", title="Solo", revision=opened["revision"])
    page = await text(response)
    assert response.status_code == 409
    assert "every week on Monday, 3 times" in page
    assert "every week on Monday, 4 times" in page
    sent = await hidden_fields(response)
    action = re.findall(r'<form method="post" action="([^"]*edit[^"]*)"', page)[0]
    answer = await hers.post(action, form=sent)
    assert answer.status_code == 303
    titles = [one.title for one in await all_rows(app, Occurrence)]
    assert titles.count("Solo") == 1


async def test_what_an_override_says_is_shown_on_its_page_and_in_its_form(
    app: Quart, hers: Client
) -> None:
    address = await choir(hers)
    await edit(hers, address, scope="one", description="Bring water.", location="Hall")
    for view in ("", "edit/"):
        page = await text(await hers.get(f"{address}{view}?on={SECOND}"))
        assert "Bring water." in page
        assert "Hall" in page


async def test_beyond_the_horizon_one_can_be_changed_too(app: Quart, hers: Client) -> None:
    address = await choir(hers, ends="never")
    on = "2039-05-09T09:00"
    assert (await edit(hers, address, on, scope="one", title="Solo")).status_code == 303
    assert "Solo" in await text(await hers.get(f"{address}?on={on}"))
    assert (await hers.get(f"{address}edit/?on=2060-05-10T09:00")).status_code == 404


async def test_a_series_of_single_ones_cannot_be_changed_as_a_whole(
    app: Quart, hers: Client, alice: User
) -> None:
    event = ["BEGIN:VEVENT", "UID:1", "DTSTART:20300513T090000Z", "RECURRENCE-ID:20300513T090000Z",
             "SUMMARY:Choir", "END:VEVENT"]  # fmt: skip
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", *event, "END:VCALENDAR", ""]
    (number,) = await put(app, alice, "\r\n".join(lines))
    address, on = f"/appointments/{number}/", SECOND
    form = {"start": "2030-05-13T09:00", "end": "2030-05-13T09:30", "timezone": "UTC"}
    response = await edit(hers, address, on, scope="all", repeat="", **form)
    assert response.status_code == 422
    assert "Only separate dates of this series are here" in await text(response)
    assert (await edit(hers, address, on, scope="one", repeat="", **form)).status_code == 303
    answer = await hers.delete(f"{address}delete/?on={on}&scope=following")
    assert answer.status_code == 422
    assert (await hers.delete(f"{address}delete/?on={on}")).status_code == 200
    assert await starts(app) == []
