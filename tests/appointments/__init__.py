"""Appointments: the pages, the list, the rules.

The helpers here fill in the form, read the pages, and make rows without a page in bulk.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from quart import Quart, Response
from sqlalchemy import select

from sched_async.appointments import changes
from sched_async.appointments.occurrences import Shown
from sched_async.database import begin, reading
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import Facts, new_text
from sched_async.models import Calendar, Occurrence, User
from sched_async.testing import Client
from sched_async.times import now

LIST = "/appointments/"
CREATE = "/appointments/create/"
DENTIST = {
    "title": "Dentist",
    "start": "2030-05-06T09:00",
    "end": "2030-05-06T10:00",
    "timezone": "Europe/Berlin",
    "location": "Main Street 5",
    "description": "Bring the X-ray.",
}
# A zone as Outlook writes it: the clocks of Berlin under any name.
ZONE_BLOCK = """BEGIN:VTIMEZONE
TZID:{}
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
"""


async def make(client: Client, **changed: Any) -> str:
    """Send the form with the dentist in it, or what is changed; gives the new address."""
    response = await client.post(CREATE, form=DENTIST | changed)
    assert response.status_code == 303
    return response.location or ""


async def add(app: Quart, user: User, *appointments: Facts) -> list[int]:
    """Give somebody appointments, numbered in this order."""
    return await put(app, user, *(new_text(facts, now()) for facts in appointments))


async def put(app: Quart, user: User, *texts: str) -> list[int]:
    """The same, as calendars write them."""
    async with app.app_context(), begin() as db:
        mine = Calendar.readable_by(user.id).order_by(Calendar.position)
        calendar = (await db.scalars(mine.limit(1))).one()
        async with changes.act(db, user.id, "import") as act:
            for text in texts:
                act.put(calendar.id, derive(text, now()), is_fresh=True)
    return [step.id or 0 for step in act.steps]


def timed(
    title: str, start: str, end: str | timedelta = timedelta(hours=1), zone: str = "Europe/Berlin"
) -> Facts:
    begins = datetime.fromisoformat(start)
    ends = begins + end if isinstance(end, timedelta) else datetime.fromisoformat(end)
    return Facts(title, begins, ends, False, zone)


def whole_days(title: str, first: str, last: str | None = None) -> Facts:
    start, end = datetime.fromisoformat(first), datetime.fromisoformat(last or first)
    return Facts(title, start, end, True, None)


def happening(facts: Facts) -> Shown:
    """As a list reads it."""
    made = derive(new_text(facts, now()), now())
    (one,) = made.occurrences
    found = {"id": 1, "calendar_id": 1, **one, **made.columns}
    return Shown(*(found[name] for name in Shown._fields))


async def instants(app: Quart) -> list[tuple[datetime, datetime]]:
    """From when to when each appointment is, as it is indexed."""
    async with app.app_context(), reading() as db:
        key = (Occurrence.appointment_id, Occurrence.recurrence_id)
        query = select(Occurrence.start_utc, Occurrence.end_utc).order_by(*key)
        return [(row.start_utc, row.end_utc) for row in await db.execute(query)]


def value(page: str, name: str) -> str | None:
    """What a field of the form on a page holds."""
    found = re.search(rf'<input [^>]*name="{name}"[^>]* value="([^"]*)"', page)
    area = re.search(rf'<textarea [^>]*name="{name}"[^>]*>\r?\n([^<]*)</textarea>', page)
    match = found or area
    return match[1] if match else None


def kind(page: str, name: str) -> str | None:
    found = re.search(rf'<input [^>]*name="{name}"[^>]* type="([^"]*)"', page)
    return found[1] if found else None


def problem(page: str, name: str) -> str | None:
    """The message at a field."""
    found = re.search(rf'id="{name}-problem">([^<]*)</p>', page)
    return found[1] if found else None


def headings(page: str) -> list[str]:
    return re.findall(r'<h2 id="day-[^"]+"><time [^>]+>([^<]+)</time></h2>', page)


def days(page: str) -> dict[str, list[str]]:
    """The titles under each heading of the list."""
    sections = re.split(r'<section class="day', page)[1:]
    assert len(sections) == len(set(headings(page))), "no heading comes twice"
    return {headings(section)[0]: titles(section) for section in sections}


def titles(page: str) -> list[str]:
    return re.findall(r'<a href="/appointments/\d+/[^"]*"><bdi>([^<]+)</bdi></a>', page)


def lines(page: str) -> list[str]:
    """Each appointment in the list as it reads: time, title, note."""
    items = re.findall(r"<li>(.*?)</li>", page, re.DOTALL)
    return [" ".join(re.sub("<[^>]*>", " ", item).split()) for item in items]


def more(page: str) -> str | None:
    """Where the next page of the list is."""
    found = re.search(r'<p class="more"><a class="button" href="([^"]+)"', page)
    return found[1] if found else None


def landed(response: Response) -> tuple[int, str | None]:
    return response.status_code, response.location
