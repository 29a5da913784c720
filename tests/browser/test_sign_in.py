"""Signing in where it has been known to fail: by keyboard, and over http by name."""

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow
from .visitor import Window

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_keyboard_is_enough_to_sign_in(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/")
        keyboard = visitor.page.keyboard
        await visitor.focus_by_keyboard("[name=username]")
        await keyboard.type("alice@example.org")
        await visitor.focus_by_keyboard("[name=password]")
        await keyboard.type(ALICE_PASSWORD)
        async with visitor.page.expect_navigation():
            await keyboard.press("Enter")
        await visitor.look()
        assert visitor.path == "/appointments/"


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
async def test_signing_in_works_by_a_host_name_without_tls(
    named_server: WebServer, open_window: OpenWindow, script: bool
) -> None:
    async with open_window(named_server.url, Window(script=script)) as visitor:
        await visitor.visit("/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.visit("/appointments/create/")
        assert visitor.path == "/appointments/create/"


async def test_an_unknown_page_says_what_to_do_next(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        with visitor.expecting(404):
            await visitor.visit("/appointments/999/")
        await visitor.press("main a")
        assert visitor.path == "/appointments/"


async def test_what_was_typed_outlives_the_session_and_the_page_that_it_was_typed_in(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.visit("/appointments/create/")
        await visitor.fill(title="Kept & <found>", start="2027-01-01T10:00")
        await visitor.page.context.clear_cookies()
        with visitor.expecting(401):
            await visitor.send()
            await visitor.look("signed out")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        assert visitor.path == "/login/"
        await visitor.look("signed in")
        await visitor.page.evaluate(
            "document.querySelector('main [name=csrf_token]').value = 'old'"
        )
        with visitor.expecting(403):
            await visitor.send()
            await visitor.look("out of date")
        await visitor.send()
        assert "Kept & <found>" in await visitor.text()
