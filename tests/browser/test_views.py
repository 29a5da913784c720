"""The calendar in a browser: every view, with as much in it as people have."""

import pytest

from sched_async.times import now, to_wall

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOGETHER = ("09:00", "09:15", "11:00")


async def test_a_person_can_look_at_their_days_in_every_way(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.page.goto(f"{alices_server.url}/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        today = f"{to_wall(now(), 'Europe/Berlin'):%Y-%m-%d}"
        pages = [await add(visitor, "Meeting", f"{today}T{time}") for time in TOGETHER]
        pages.append(await add(visitor, "Conference", today, allday=True))
        for view in ("month", "week", "day", "agenda"):
            await visitor.page.goto(f"{alices_server.url}/calendar/?view={view}")
            await visitor.look(view, is_alike=False)
            assert "Conference" in await visitor.text()
        await visitor.visit("/search/?q=meet", is_alike=False)
        assert "Coming up" in await visitor.text() or "Past" in await visitor.text()
        for page in pages:
            await visitor.page.goto(f"{alices_server.url}{page}")
            await visitor.press("main form[action$='/delete/'] button")


async def add(visitor: Visitor, title: str, start: str, *, allday: bool = False) -> str:
    """Gives the address of its page."""
    await visitor.page.goto(f"{visitor.base_url}/appointments/create/")
    if allday:
        await visitor.page.check("[name=allday]")
    await visitor.fill(title=title, start=start)
    await visitor.page.locator("[name=start]").dispatch_event("change")
    await visitor.send()
    return visitor.path
