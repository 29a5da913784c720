"""What an address proposes for a new appointment."""

import re
from urllib.parse import urlencode

import pytest
from quart import Quart

from sched_async.appointments import calendar_changes
from sched_async.database import begin
from sched_async.models import Calendar, User
from sched_async.testing import Client

from ..pages import text
from ..rows import all_rows
from ..tables import each
from . import CREATE, DENTIST, make, problem, value

pytestmark = pytest.mark.usefixtures("morning")  # Tuesday, 24 November 2026, 9:30 in Berlin

USUAL = ("2026-11-24T10:00", "2026-11-24T11:00", False)


@each(
    ("query", "proposed"),
    [
        ({"start": "2030-05-06T14:30"}, ("2030-05-06T14:30", "2030-05-06T15:30", False)),
        (
            {"start": "2030-05-06 22:00", "end": "2030-05-07T06:00:00"},
            ("2030-05-06T22:00", "2030-05-07T06:00", False),
        ),
        ({"start": "2030-05-06"}, ("2030-05-06T10:00", "2030-05-06T11:00", False)),
        ({"start": "2030-05-06", "allday": "y"}, ("2030-05-06", "2030-05-06", True)),
        (
            {"start": "2030-05-06T14:30", "end": "2030-05-08", "allday": "1"},
            ("2030-05-06", "2030-05-08", True),
        ),
        ({"allday": "true"}, ("2026-11-24", "2026-11-24", True)),
        ({"end": "2026-11-24T15:00"}, ("2026-11-24T10:00", "2026-11-24T15:00", False)),
        # The clocks go forward: what they skip is moved on.
        ({"start": "2027-03-28T02:30"}, ("2027-03-28T03:30", "2027-03-28T04:30", False)),
        (
            {"start": "2027-03-28T01:30", "end": "2027-03-28T02:30"},
            ("2027-03-28T01:30", "2027-03-28T03:30", False),
        ),
        (
            {"start": "2027-03-28T02:30", "end": "2027-03-28T03:00"},
            ("2027-03-28T03:30", "2027-03-28T04:30", False),
        ),
        # What is no valid value.
        ({"start": "soon", "end": "later", "allday": "perhaps", "calendar": "x"}, USUAL),
        ({"start": "", "end": "", "allday": "", "calendar": ""}, USUAL),
        ({"start": "1066-10-14T09:00", "end": "9999-12-31T23:59", "title": "x"}, USUAL),
        (
            {"start": "2030-05-06T14:30", "end": "2030-05-06T14:30"},
            ("2030-05-06T14:30", "2030-05-06T15:30", False),
        ),
        (
            {"start": "2030-05-06", "end": "2030-05-05", "allday": "y"},
            ("2030-05-06", "2030-05-06", True),
        ),
        (
            {"start": "2030-05-06", "end": "2031-05-07", "allday": "y"},
            ("2030-05-06", "2030-05-06", True),
        ),
    ],
)
async def test_an_address_fills_the_form_and_what_is_no_valid_value_is_ignored(
    hers: Client, query: dict[str, str], proposed: tuple[str, str, bool]
) -> None:
    response = await hers.get(f"{CREATE}?{urlencode(query)}")
    assert response.status_code == 200
    page = await text(response)
    is_ticked = 'checked id="allday"' in page
    assert (value(page, "start"), value(page, "end"), is_ticked) == proposed
    assert [name for name in DENTIST if problem(page, name)] == []
    form = {"start": proposed[0], "end": proposed[1], "allday": "y" if is_ticked else ""}
    await make(hers, **form)


async def test_a_calendar_is_proposed_if_it_is_ones_own(
    app: Quart, alice: User, mallory: User, hers: Client
) -> None:
    async with app.app_context(), begin() as db:
        work = await calendar_changes.add(db, alice.id, "Work", "amber")
    default = next(
        one for one in await all_rows(app, Calendar) if one.user_id == alice.id != work.id
    )
    theirs = next(one for one in await all_rows(app, Calendar) if one.user_id == mallory.id)
    for asked, chosen in ((work, work), (theirs, default), (default, default)):
        page = await text(await hers.get(f"{CREATE}?calendar={asked.id}"))
        assert re.findall(r'<option selected value="(\d+)"', page) == [f"{chosen.id}"]


async def test_what_was_typed_over_a_proposal_comes_back(hers: Client) -> None:
    address = f"{CREATE}?start=2030-05-06&allday=y"
    page = await text(await hers.post(address, form=DENTIST | {"title": ""}))
    assert {name: value(page, name) for name in DENTIST} == DENTIST | {"title": ""}
    assert 'checked id="allday"' not in page
