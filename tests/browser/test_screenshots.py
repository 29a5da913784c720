"""Pictures of a filled book; run by hand with ``--screenshots DIR``."""

from datetime import date, timedelta

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import ROOT, WebServer
from .conftest import OpenWindow
from .visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Days from today, times ("" for a whole day), title, place, calendar.
BOOK = [
    (0, "23:00", "23:45", "Call with Priya in Auckland", "", "Work"),
    (1, "09:30", "10:15", "Dentist", "Harbour Street 12", "Personal"),
    (1, "12:30", "13:30", "Lunch with Tomás", "Café Anker", "Work"),
    (1, "19:00", "21:30", "Choir rehearsal", "St. Martin's, upper hall", "Choir"),
    (3, "", "", "Grandmother's birthday", "", "Family"),
    (3, "15:10", "17:40", "Train to Hamburg", "Platform 7", "Family"),
    (9, "08:00", "08:30", "Hand over the keys", "Mill Lane 4", "Personal"),
]


async def test_the_readme_shows_the_newest_look(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await sign_in(visitor)
        for name in ("Work", "Family", "Choir"):
            await visitor.page.goto(visitor.base_url + "/calendars/create/")
            await visitor.fill(name=name)
            await visitor.send()
        for entry in BOOK:
            await make(visitor, *entry)
        await visitor.visit("/appointments/")
        picture = ROOT / "docs" / "screenshot.png"
        picture.parent.mkdir(exist_ok=True)
        await visitor.page.screenshot(path=picture)
        await visitor.look()


async def sign_in(visitor: Visitor) -> None:
    await visitor.page.goto(visitor.base_url + "/login/")
    await visitor.sign_in("alice@example.org", ALICE_PASSWORD)


async def make(visitor: Visitor, days: int, start: str, end: str, *texts: str) -> None:
    title, place, calendar = texts
    day = date.today() + timedelta(days)
    await visitor.page.goto(visitor.base_url + "/appointments/create/")
    if not start:
        await visitor.page.check("[name=allday]")
    times = {"start": f"{day}T{start}", "end": f"{day}T{end}"}
    if not start:
        times = {"start": str(day), "end": str(day)}
    await visitor.fill(title=title, location=place, **times)
    await visitor.page.select_option("[name=calendar]", label=calendar)
    await visitor.send()
    assert visitor.path.removeprefix("/appointments/").rstrip("/").isdigit()
