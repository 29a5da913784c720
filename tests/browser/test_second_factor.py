"""The second factor by hand: set up from the key in the page, used, lost, and turned off."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyotp
import pytest

from ..accounts.factors import SET_UP, STATE, STEP, recovery_codes_in
from ..conftest import ALICE_PASSWORD
from ..servers import WebServer, hypercorn_server
from .conftest import OpenWindow
from .visitor import Visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def server(alices_sqlite: Path, tmp_path: Path) -> Iterator[WebServer]:
    """Of Alice alone: what is done here stays with her account."""
    shutil.copy(alices_sqlite, tmp_path)
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        yield server


async def test_a_person_can_set_it_up_sign_in_with_it_and_turn_it_off(
    server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(server.url) as visitor:
        await visitor.visit("/login/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        secret, codes = await sets_it_up(visitor)
        await signs_in_with_the_app(visitor, secret)
        await signs_in_with_a_recovery_code(visitor, codes[0])
        await is_trusted_but_confirms(visitor, secret)
        await turns_it_off(visitor)


def code(secret: str, steps_ahead: int) -> str:
    """Each counts once, so the test uses the neighbours of the running step as well."""
    return pyotp.TOTP(secret).at(datetime.now(UTC), counter_offset=steps_ahead)


async def sets_it_up(visitor: Visitor) -> tuple[str, list[str]]:
    await visitor.visit(STATE)
    await visitor.press("main a:has-text('Set it up')")
    assert visitor.path == SET_UP
    await visitor.look()
    secret = (await visitor.text(".key")).replace(" ", "")
    assert await visitor.page.get_by_role("img", name="QR code").count() == 1
    await visitor.fill(code="000000")
    with visitor.expecting(422):
        await visitor.send()
        await visitor.look("a wrong code")
    assert (await visitor.text(".key")).replace(" ", "") == secret
    await visitor.fill(code=code(secret, -1))
    await visitor.send()
    await visitor.look("recovery codes")
    codes = recovery_codes_in(await visitor.text())
    await visitor.press("main a:has-text('saved them')")
    await visitor.look("on")
    return secret, codes


async def signs_in_with_the_app(visitor: Visitor, secret: str) -> None:
    await signs_out_and_gives_the_password(visitor)
    assert visitor.path == STEP
    await visitor.look()
    await visitor.fill(code="000000")
    with visitor.expecting(401):
        await visitor.send()
        await visitor.look("a wrong code")
    await visitor.fill(code=code(secret, 0))
    await visitor.send()
    assert visitor.path == "/appointments/"


async def signs_in_with_a_recovery_code(visitor: Visitor, recovery_code: str) -> None:
    await signs_out_and_gives_the_password(visitor)
    await visitor.press("main a:has-text('recovery code')")
    await visitor.look()
    await visitor.fill(code=recovery_code)
    await visitor.page.check("[name=trust]")
    await visitor.send()
    assert visitor.path == "/appointments/"
    await visitor.look()
    assert "You have 9 recovery codes left." in await visitor.text()


async def is_trusted_but_confirms(visitor: Visitor, secret: str) -> None:
    await signs_out_and_gives_the_password(visitor)
    assert visitor.path == "/appointments/"
    await visitor.visit(STATE)
    assert "1 device doesn't" in await visitor.text()
    await visitor.press("main a:has-text('Create new codes')")
    assert visitor.path.startswith("/confirm/")
    await visitor.look()
    await visitor.fill(password=ALICE_PASSWORD, code=code(secret, 1))
    await visitor.send()
    await visitor.look("new codes?")
    await visitor.send()
    await visitor.look("new codes")
    assert len(recovery_codes_in(await visitor.text())) == 10


async def turns_it_off(visitor: Visitor) -> None:
    await visitor.visit(STATE)
    await visitor.press("main a:has-text('Turn off')")
    await visitor.look()
    await visitor.send()
    await visitor.look("off")
    assert "Two-factor authentication is off." in await visitor.text()
    await signs_out_and_gives_the_password(visitor)
    assert visitor.path == "/appointments/"


async def signs_out_and_gives_the_password(visitor: Visitor) -> None:
    await visitor.page.goto(visitor.base_url + "/logout/")
    await visitor.send()
    await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
