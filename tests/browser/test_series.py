"""An appointment that repeats, from its form to the last question about it."""

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Visitor, Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

WEEK = "/calendar/week/2030-W19/"


async def test_a_person_can_keep_what_repeats(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.page.goto(f"{alices_server.url}/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await fills_in(visitor)
        await visitor.send()
        assert "Repeats every 2 weeks on Monday and Thursday, 9 times" in await visitor.text()
        await visitor.look("detail")
        await drags_one(visitor)
        await deletes_what_follows(visitor)


async def fills_in(visitor: Visitor) -> None:
    """The words follow the fields."""
    page = visitor.page
    await page.goto(f"{visitor.base_url}/appointments/create/?start=2030-05-06T10:00")
    assert not await page.locator("[name=every]").is_visible()
    await visitor.fill(title="Chess club")
    await page.select_option("[name=repeat]", "weekly")
    await visitor.fill(every="2")
    for day in ("MO", "TH"):
        await page.check(f"[name=days][value={day}]")
    await page.select_option("[name=ends]", "after")
    await visitor.fill(count="9")
    await page.locator("[name=count]").dispatch_event("change")
    await page.wait_for_selector("text=every 2 weeks on Monday and Thursday, 9 times.")
    assert "Mon 6 May, Thu 9 May, Mon 20 May" in await visitor.text()
    await visitor.look("form")


async def drags_one(visitor: Visitor) -> None:
    """Half an hour later; which ones is asked, and a press leads back to the week."""
    page = visitor.page
    await page.goto(visitor.base_url + WEEK)
    box = await page.locator(".block:has-text('Chess')").nth(1).bounding_box()
    assert box
    x, y = box["x"] + 20, box["y"] + 8
    await page.mouse.move(x, y)
    await page.mouse.down()
    await page.mouse.move(x, y + box["height"] / 2, steps=3)
    with visitor.expecting(422):
        async with page.expect_navigation():
            await page.mouse.up()
        assert "Change which ones?" in await visitor.text()
        await visitor.look("which")
    await visitor.press("button[value=one]")
    assert visitor.path == WEEK
    assert await page.locator(".block:has-text('10:30')").count() == 1
    assert await page.locator(".block:has-text('10:00')").count() == 1


async def deletes_what_follows(visitor: Visitor) -> None:
    await visitor.press(".block:has-text('10:30') a")
    with visitor.expecting(422):
        await visitor.press("main form[action*='/delete/'] button")
        assert "Delete which ones?" in await visitor.text()
    await visitor.press("button[value=following]")
    assert "This and all later dates of" in await visitor.text(".flash")
    await visitor.press(".flash button")
    await visitor.page.goto(visitor.base_url + WEEK)
    assert await visitor.page.locator(".block:has-text('Chess')").count() == 2


async def test_without_script_all_fields_of_the_form_can_be_filled_in(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url, Window(script=False)) as visitor:
        await visitor.page.goto(f"{alices_server.url}/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.page.goto(f"{alices_server.url}/appointments/create/")
        await visitor.fill(title="Rent")
        await visitor.page.select_option("[name=repeat]", "monthly")
        await visitor.page.select_option("[name=monthly_by]", "last")
        await visitor.send()
        assert "Repeats every month on the last day" in await visitor.text()
        assert "the first day of its rule" in await visitor.text(".flash")
