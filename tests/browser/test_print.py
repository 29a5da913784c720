"""The calendar on paper, as PDF."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Visitor, Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

DARK = Window(width=1280, scheme="dark")
CROWDED = "Wednesday, 15 May 2030"
MOST = 60  # on one day: more than a sheet holds


def file() -> bytes:
    """Six a day, a bar over two weeks, and one day that is full."""
    days = [day for day in range(1, 32) for _ in range(MOST if day == 15 else 6)]
    events = [
        event(at, f"DTSTART:203005{day:02}T{6 + at % 12:02}{at % 60:02}00Z")
        for at, day in enumerate(days)
    ]
    bar = event("Fair", "DTSTART;VALUE=DATE:20300506\nDTEND;VALUE=DATE:20300518")
    lines = ["BEGIN:VCALENDAR", "X-WR-CALNAME:Music", *events, bar, "END:VCALENDAR"]
    return "\n".join(lines).encode()


def event(name: object, times: str) -> str:
    return (
        f"BEGIN:VEVENT\nUID:{name}\n{times}\nSUMMARY:{name}, in the old school of music\nEND:VEVENT"
    )


async def printed(visitor: Visitor, path: str) -> PdfReader:
    await visitor.page.goto(f"{visitor.base_url}{path}")
    data = await visitor.page.pdf(prefer_css_page_size=True, print_background=True)
    return PdfReader(BytesIO(data))


async def test_each_view_is_printed_on_sheets_of_its_shape_and_always_light(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url, DARK) as visitor:
        await visitor.page.goto(f"{alices_server.url}/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await imports(visitor)
        await visitor.visit("/calendar/month/2030-05/", is_alike=False)
        await one_sheet_across(visitor, "/calendar/month/2030-05/")
        await one_sheet_across(visitor, "/calendar/week/2030-W20/")
        assert len((await printed(visitor, "/calendar/day/2030-05-15/")).pages) == 1
        await is_light(visitor)
        await a_day_stands_above_each_sheet(visitor)
        await visitor.page.goto(f"{alices_server.url}/calendars/")
        await visitor.press("main li:has-text('Music') a")
        await visitor.press("main button:has-text('Delete')")


async def imports(visitor: Visitor) -> None:
    await visitor.page.goto(f"{visitor.base_url}/import/")
    upload = {"name": "music.ics", "mimeType": "text/calendar", "buffer": file()}
    await visitor.page.set_input_files("[name=file]", upload)  # type: ignore[arg-type]
    await visitor.page.select_option("[name=calendar]", "0")
    await visitor.send()
    await visitor.press("main button:has-text('Import')")


async def one_sheet_across(visitor: Visitor, path: str) -> None:
    pages = (await printed(visitor, path)).pages
    assert len(pages) == 1, path
    assert pages[0].mediabox.width > pages[0].mediabox.height
    said = pages[0].extract_text()
    assert "Fair" in said
    assert "Music" in said
    assert "New appointment" not in said
    assert "Sign out" not in said


async def is_light(visitor: Visitor) -> None:
    await visitor.page.emulate_media(media="print")
    ink = await visitor.page.evaluate("getComputedStyle(document.querySelector('h1')).color")
    assert ink == "rgb(31, 36, 33)"
    await visitor.page.emulate_media(media="null")


async def a_day_stands_above_each_sheet(visitor: Visitor) -> None:
    """Also when it goes on from the sheet before; and never alone at the foot of one."""
    pages = (await printed(visitor, "/calendar/agenda/2030-05-06/")).pages
    texts = [[line for line in page.extract_text().splitlines() if line] for page in pages]
    assert len(texts) > 5
    assert sum(CROWDED in lines for lines in texts) >= 2
    for lines in texts[1:]:
        assert "2030" in lines[0], lines[:2]
    for lines in texts[:-1]:
        assert "2030" not in lines[-1], lines[-2:]
