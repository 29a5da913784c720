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
        await drags_and_undoes(visitor, today)
        await goes_by_keys(visitor)
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


async def drags_and_undoes(visitor: Visitor, today: str) -> None:
    """An hour later with the mouse; the message has the way back."""
    page = visitor.page
    await page.goto(f"{visitor.base_url}/calendar/day/{today}/")
    block = page.locator(".block:has-text('11:00')")
    box, hours = await block.bounding_box(), await page.locator(".hours").bounding_box()
    assert box
    assert hours
    count = await page.locator(".days").get_attribute("data-hours")
    x, y = box["x"] + 20, box["y"] + 8
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y + hours["height"] / int(count or 1), steps=3)
    async with page.expect_navigation():
        await page.mouse.up()
    await page.wait_for_selector(".flash")
    assert visitor.path == f"/calendar/day/{today}/"
    assert "12:00" in await visitor.text(".hours")
    await visitor.press(".flash button")
    assert "is as before" in await visitor.text(".flash")


async def goes_by_keys(visitor: Visitor) -> None:
    page = visitor.page
    await page.goto(f"{visitor.base_url}/calendar/?view=month")
    await page.keyboard.press("?")
    assert await page.locator("dialog.keys").is_visible()
    await visitor.look("keys", is_alike=False)
    await page.keyboard.press("Escape")
    await page.wait_for_selector("dialog.keys", state="hidden")  # a moment later
    await page.keyboard.press("ArrowRight")
    assert await page.evaluate("document.activeElement.className") == "date today"
    async with page.expect_navigation():
        await page.keyboard.press("n")
    assert visitor.path == "/appointments/create/"
