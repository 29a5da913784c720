"""From the set-up link to the first logout, with JavaScript and without."""

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Visitor, Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Both widths are gone through by hand; how pages look in either is seen on the way.
WINDOWS = [Window(1280), Window(390, script=False)]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
async def test_a_person_can_set_up_keep_appointments_and_leave(
    new_server: WebServer, open_window: OpenWindow, window: Window
) -> None:
    async with open_window(new_server.url, window) as visitor:
        await sets_up(visitor, new_server, window)
        await signs_in(visitor)
        await makes_an_appointment(visitor)
        await changes_it(visitor)
        await deletes_it(visitor)
        await undoes_that(visitor)
        await signs_out(visitor)


async def sets_up(visitor: Visitor, server: WebServer, window: Window) -> None:
    link = server.setup_link()
    assert link is not None
    await visitor.visit(link)
    zone = await visitor.page.input_value("[name=timezone]")
    assert zone == ("Europe/Berlin" if window.script else "UTC")
    await visitor.fill(name="Alice", email="alice@example.org", timezone="Europe/Berlin")
    await visitor.fill(password="too short", password_again="too short")
    with visitor.expecting(422):
        await visitor.send()
        await visitor.look()
    await visitor.fill(password=ALICE_PASSWORD, password_again=ALICE_PASSWORD)
    await visitor.send()
    assert visitor.path == "/appointments/"
    assert "Your account is ready." in await visitor.text()
    with visitor.expecting(404):
        await visitor.visit(link)
    await signs_out(visitor)


async def signs_in(visitor: Visitor) -> None:
    await visitor.visit("/appointments/create/")
    assert visitor.path.startswith("/login/?next=")
    with visitor.expecting(401):
        await visitor.sign_in("alice@example.org", "not her password")
        await visitor.look("wrong password")
    assert "Incorrect username or password." in await visitor.text()
    await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
    assert visitor.path == "/appointments/create/"
    await visitor.visit("/appointments/")


async def makes_an_appointment(visitor: Visitor) -> None:
    await visitor.press("main a[href='/appointments/create/'] >> nth=0")
    await visitor.look()
    await visitor.fill(title="Dentist", start="2030-11-25T09:30", end="2030-11-25T08:30")
    with visitor.expecting(422):
        await visitor.send()
        await visitor.look("an end before the start")
    await visitor.fill(end="2030-11-25T10:30", location="Main Street 1")
    await visitor.fill(description="Bring the X-ray\n<b>and</b> patience")
    await visitor.send()
    await visitor.look()
    assert "Dentist" in await visitor.text("h1")
    assert "<b>and</b> patience" in await visitor.text()
    await visitor.visit("/appointments/")
    assert "Dentist" in await visitor.text()


async def changes_it(visitor: Visitor) -> None:
    await visitor.press("main a:has-text('Dentist')")
    await visitor.press("main a[href$='/edit/']")
    await visitor.look()
    await visitor.fill(title="Orthodontist")
    await visitor.send()
    await visitor.look()
    assert "Orthodontist" in await visitor.text("h1")


async def deletes_it(visitor: Visitor) -> None:
    page = visitor.path
    await visitor.visit(f"{page}delete/")  # where old links lead
    await visitor.visit(page)
    await visitor.press("main form[action$='/delete/'] button")
    await visitor.look()
    assert visitor.path == "/appointments/"
    assert "“Orthodontist” has been deleted." in await visitor.text()
    assert await visitor.page.locator("main a:has-text('Orthodontist')").count() == 0


async def undoes_that(visitor: Visitor) -> None:
    await visitor.press("main form[action^='/undo/'] button")
    await visitor.look()
    assert "Undone. “Orthodontist” is as before." in await visitor.text()
    assert "Orthodontist" in await visitor.text("h1")


async def signs_out(visitor: Visitor) -> None:
    await visitor.visit("/logout/")
    await visitor.visit("/appointments/")
    await visitor.press("form[action='/logout/'] button")
    await visitor.look()
    assert visitor.path == "/login/"
    await visitor.visit("/appointments/")
    assert visitor.path.startswith("/login/")
