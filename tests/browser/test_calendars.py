"""Calendars, undo and the trash by hand."""

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHOIR = "Choir of St. Martin's-in-the-Meadows, and the Wednesday evenings"


async def test_a_person_can_keep_calendars_and_take_back_what_went_wrong(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.page.goto(visitor.base_url + "/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await makes_a_calendar(visitor)
        await makes_an_appointment_in_it(visitor)
        await undoes_an_edit_although_there_was_another(visitor)
        await was_overtaken_by_another_tab(visitor)
        await undoes_a_deletion(visitor)
        await makes_an_address_of_it(visitor)
        await cannot_follow_a_private_address(visitor)
        await deletes_the_calendar(visitor)
        await finds_it_in_the_trash(visitor)


async def makes_a_calendar(visitor: Visitor) -> None:
    await visitor.press("header a:has-text('Calendars')")
    await visitor.press("main a:has-text('New calendar')")
    await visitor.look()
    await visitor.fill(name=CHOIR)
    await visitor.focus_by_keyboard("[name=color]:checked")
    await visitor.page.keyboard.press("ArrowRight")
    assert await visitor.page.input_value("[name=color]:checked") == "rose"
    await visitor.send()
    await visitor.press(f"main li:has-text('{CHOIR[:5]}') button:has-text('Hide')")
    await visitor.look("one is hidden")
    await visitor.press("main button:has-text('Show')")


async def makes_an_appointment_in_it(visitor: Visitor) -> None:
    await visitor.page.goto(visitor.base_url + "/appointments/create/")
    await visitor.fill(title="Rehearsal", start="2030-11-25T19:30", end="2030-11-25T21:30")
    await visitor.page.select_option("[name=calendar]", label=CHOIR)
    await visitor.look()
    await visitor.send()
    assert CHOIR in await visitor.text()


async def undoes_an_edit_although_there_was_another(visitor: Visitor) -> None:
    for title in ("Concert", "Rehearsal, moved"):
        await visitor.press("main a:has-text('Edit')")
        await visitor.fill(title=title)
        await visitor.send()
    await visitor.visit("/trash/")
    with visitor.expecting(409):
        await visitor.press("main li:nth-child(2) button")
        await visitor.look()
    await visitor.press("main button:has-text('Undo')")
    assert await visitor.text("h1") == "Rehearsal"


async def was_overtaken_by_another_tab(visitor: Visitor) -> None:
    path = visitor.path
    await visitor.press("main a:has-text('Edit')")
    other = await visitor.page.context.new_page()
    await other.goto(f"{visitor.base_url}{path}edit/")
    await other.fill("[name=location]", "Church hall, by the door in Meadow Lane")
    async with other.expect_navigation():
        await other.click("main button")
    await other.close()
    await visitor.page.bring_to_front()  # what nobody sees may draw nothing, and axe waits for it
    await visitor.fill(start="2030-11-25T19:00", description="Bring:\n\nthe black folders")
    with visitor.expecting(409):
        await visitor.send()
        await visitor.look("two versions")
    await visitor.press("main button:has-text('Save my version')")
    assert "19:00" in await visitor.text()
    assert "Church hall" not in await visitor.text()
    await visitor.press("main .flash button:has-text('Undo')")
    assert "Church hall" in await visitor.text()


async def undoes_a_deletion(visitor: Visitor) -> None:
    await visitor.press("main button:has-text('Delete')")
    await visitor.press("main .flash button:has-text('Undo')")
    assert "Undone. “Rehearsal” is as before." in await visitor.text(".flash")
    await visitor.visit("/appointments/")
    assert CHOIR in await visitor.text()


async def makes_an_address_of_it(visitor: Visitor) -> None:
    await visitor.press("header a:has-text('Calendars')")
    await visitor.press(f"main a:has-text('{CHOIR[:5]}')")
    await visitor.press("main a:has-text('Subscribe')")
    await visitor.press("main button:has-text('Create address')")
    await visitor.look("an address, once")
    address = await visitor.page.input_value("#address")
    answer = await visitor.page.context.request.get(address)
    assert "SUMMARY:Rehearsal" in await answer.text()
    await visitor.press("main a:has-text('Done')")
    await visitor.look()
    await visitor.press("main button:has-text('Remove')")
    assert (await visitor.page.context.request.get(address)).status == 404


async def cannot_follow_a_private_address(visitor: Visitor) -> None:
    await visitor.page.goto(visitor.base_url + "/calendars/follow/")
    await visitor.fill(address=f"{visitor.base_url}/feeds/x.ics")
    with visitor.expecting(422):
        await visitor.send()
        await visitor.look()
    assert "private network" in await visitor.text("#address-problem")


async def deletes_the_calendar(visitor: Visitor) -> None:
    await visitor.press("header a:has-text('Calendars')")
    await visitor.press(f"main a:has-text('{CHOIR[:5]}')")
    await visitor.look()
    await visitor.press("main button:has-text('Delete')")
    assert "1 appointment went with it." in await visitor.text(".flash")
    await visitor.press("main .flash button:has-text('Undo')")
    assert visitor.path == "/calendars/"
    assert "is back." in await visitor.text(".flash")


async def finds_it_in_the_trash(visitor: Visitor) -> None:
    await visitor.press("main .flash button:has-text('Undo')")
    await visitor.press("main a:has-text('trash')")
    assert "The calendar “Choir" in await visitor.text("main li:first-child")
