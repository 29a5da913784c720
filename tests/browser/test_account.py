"""The account area by hand: devices, confirming, passwords and links, people, one's data."""

import asyncio
import itertools
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from sched_async import lifespan
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app

from ..conftest import ALICE_PASSWORD
from ..mailbox import MAIL_URL
from ..servers import WebServer, hypercorn_server
from .conftest import OpenWindow
from .visitor import Visitor, Window

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW = "eleven slow herons at dusk"
LONG_AGO = 11 * 60  # seconds

numbers = itertools.count(1)


@dataclass(frozen=True)
class Site:
    """A server that writes mail down and sends none, and the file of its database."""

    server: WebServer
    folder: Path

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def file(self) -> Path:
        return self.folder / "sched.db"

    async def add(self, name: str) -> str:
        """A new account, with Alice's password; gives its address."""
        email = f"{name.lower()}{next(numbers)}@example.org"
        async with lifespan.working(create_app({"DATA_DIR": self.folder})):
            await create_account(
                name=name, email=email, password=ALICE_PASSWORD, timezone="Europe/Berlin"
            )
        return email

    def let_proofs_age(self) -> None:
        with closing(sqlite3.connect(self.file, timeout=10)) as db, db:
            db.execute("UPDATE login_session SET proven_at = proven_at - ?", [LONG_AGO])

    async def link_to(self, email: str) -> str:
        """The link in the newest message to an address, once it is written."""
        query = "SELECT text FROM outgoing_mail WHERE recipient = ? ORDER BY id DESC LIMIT 1"
        async with asyncio.timeout(10):
            while True:
                with closing(sqlite3.connect(self.file, timeout=10)) as db:
                    row = db.execute(query, [email]).fetchone()
                if row is not None:
                    (link,) = re.findall(rf"{self.url}/\S+/", row[0])
                    return str(link)
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def site(alices_sqlite: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Alice, who has the first account, is its administrator."""
    folder = tmp_path_factory.mktemp("account")
    shutil.copy(alices_sqlite, folder)
    environment = {
        "SCHED_DATA_DIR": str(folder),
        "SCHED_MAIL_URL": MAIL_URL,
        "SCHED_REGISTRATION": "open",
    }
    with hypercorn_server(environment) as server:
        yield Site(server, folder)


async def sign_in(visitor: Visitor, email: str, password: str = ALICE_PASSWORD) -> None:
    await visitor.page.goto(visitor.base_url + "/login/")
    await visitor.sign_in(email, password)
    assert visitor.path == "/appointments/"


async def is_out(visitor: Visitor) -> bool:
    await visitor.page.goto(visitor.base_url + "/appointments/")
    return visitor.path.startswith("/login/")


@pytest.mark.parametrize("window", [Window(1280), Window(390, script=False)], ids=str)
async def test_every_page_of_the_area_is_at_its_side(
    site: Site, open_window: OpenWindow, window: Window
) -> None:
    async with open_window(site.url, window) as visitor:
        email = await site.add("Robin")
        await visitor.visit("/login/")
        with visitor.expecting(401):
            await visitor.sign_in(email, "not the password")
        await sign_in(visitor, email)
        await visitor.press("header a:has-text('Robin')")
        names = await visitor.page.locator("nav.side a").all_inner_texts()
        assert len(names) == 7
        for name in names:
            await visitor.press(f"nav.side a:has-text('{name}')")
            await visitor.look()
            here = visitor.page.locator("nav.side a[aria-current=page]")
            assert await here.all_inner_texts() == [name]
        await visitor.visit("/account/activity/")
        assert "Failed sign-in: wrong password" in await visitor.text()


async def test_the_profile_is_saved(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as visitor:
        await sign_in(visitor, await site.add("Robin"))
        await visitor.visit("/account/profile/")
        await visitor.fill(timezone="Mars/Olympus")
        with visitor.expecting(422):
            await visitor.send()
            await visitor.look("no such zone")
        await visitor.fill(name="Robin Hood", timezone="Europe/London")
        await visitor.page.select_option("[name=clock_hours]", "12")
        await visitor.send()
        await visitor.look("saved")
        assert await visitor.page.input_value("[name=name]") == "Robin Hood"


async def test_another_window_can_be_signed_out(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as here, open_window(site.url) as there:
        email = await site.add("Robin")
        await sign_in(there, email)
        await sign_in(here, email)
        await here.visit("/account/devices/")
        assert await here.page.locator("main .devices li").count() == 2
        await here.press("main .devices li button")
        await here.look("signed out")
        assert "You are not signed in anywhere else." in await here.text()
        assert await is_out(there)
        await sign_in(there, email)
        await here.visit("/account/devices/")
        await here.press("main button:has-text('everywhere else')")
        assert await is_out(there)
        assert not await is_out(here)


async def test_confirming_leads_back_to_what_was_typed(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as visitor:
        email = await site.add("Robin")
        await sign_in(visitor, email)
        await visitor.visit("/account/email/")
        await visitor.fill(email=f"new-{email}")
        site.let_proofs_age()
        with visitor.expecting(403):
            await visitor.send()
            await visitor.look()
        assert "Confirm it's you" in await visitor.text()
        await visitor.fill(password="not the password")
        with visitor.expecting(401):
            await visitor.send()
            await visitor.look("wrong")
        await visitor.fill(password=ALICE_PASSWORD)
        await visitor.send()
        await visitor.look("carried")
        await visitor.send()
        assert visitor.path == "/account/email/"
        await visitor.look("asked")
        await visitor.visit(await site.link_to(f"new-{email}"))
        await visitor.press("main button:has-text('Use this address')")
        await visitor.look("changed")
        assert f"Your email address is now new-{email}." in await visitor.text()


async def test_changing_the_password_ends_other_windows(
    site: Site, open_window: OpenWindow
) -> None:
    async with open_window(site.url) as here, open_window(site.url) as there:
        email = await site.add("Robin")
        await sign_in(there, email)
        await sign_in(here, email)
        await here.visit("/account/password/")
        wrong = {"current_password": "not the password", "password": NEW, "password_again": NEW}
        await here.fill(**wrong)
        with here.expecting(401):
            await here.send()
            await here.look("wrong")
        await here.fill(**(wrong | {"current_password": ALICE_PASSWORD}))
        await here.send()
        await here.look("changed")
        assert await is_out(there)
        await sign_in(there, email, NEW)


async def test_an_administrator_looks_after_people(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as visitor:
        email = await site.add("Robin")
        await sign_in(visitor, "alice@example.org")
        await visitor.press("header a:has-text('People')")
        await visitor.look()
        await visitor.page.fill("[name=q]", email)
        await visitor.press("main form[role=search] button")
        await visitor.look("found")
        await visitor.press("main .people a:has-text('Robin')")
        await visitor.look()
        await visitor.press("main button:has-text('Require two-factor')")
        await visitor.press("main button:has-text('Deactivate')")
        await visitor.look("deactivated")
        await visitor.press("main a:has-text('All people')")
        assert "Deactivated" in await visitor.text(f"main .people li:has-text('{email}')")
        await visitor.visit("/admin/users/?q=nobody+has+this+name")
        await visitor.press("main .empty a")
        await visitor.fill(email=email)
        with visitor.expecting(422):
            await visitor.press("main .invite button")
            await visitor.look("has an account")
        await visitor.fill(email=f"guest-{email}")
        await visitor.press("main .invite button")
        await visitor.look("invited")


async def test_a_forgotten_password_is_replaced(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as visitor:
        email = await site.add("Robin")
        await visitor.visit("/login/")
        await visitor.press("main a:has-text('Forgot')")
        await visitor.look()
        await visitor.fill(email=email)
        await visitor.send()
        await visitor.look("sent")
        link = await site.link_to(email)
        await visitor.visit(link)
        assert visitor.path == "/password/reset/"
        await visitor.fill(password="too short", password_again="too short")
        with visitor.expecting(422):
            await visitor.send()
            await visitor.look("too short")
        await visitor.fill(password=NEW, password_again=NEW)
        await visitor.send()
        await visitor.look("changed")
        await sign_in(visitor, email, NEW)
        with visitor.expecting(404):
            await visitor.visit(link)


async def test_a_stranger_makes_an_account(site: Site, open_window: OpenWindow) -> None:
    async with open_window(site.url) as visitor:
        email = f"kim{next(numbers)}@example.org"
        await visitor.visit("/login/")
        await visitor.press("main a:has-text('Create an account')")
        await visitor.look()
        await visitor.fill(name="Kim", email=email, timezone="Asia/Seoul")
        await visitor.fill(password=NEW, password_again=NEW)
        await visitor.send()
        await visitor.look("sent")
        link = await site.link_to(email)
        await visitor.visit(link)
        await visitor.send()
        await visitor.look("made")
        with visitor.expecting(404):
            await visitor.visit(link)
        await sign_in(visitor, email, NEW)


async def test_a_person_takes_their_data_and_leaves_and_stays_after_all(
    site: Site, open_window: OpenWindow
) -> None:
    async with open_window(site.url) as visitor:
        email = await site.add("Robin")
        await sign_in(visitor, email)
        await visitor.visit("/account/data/")
        async with visitor.page.expect_download() as download:
            await visitor.page.click("main a:has-text('Download')")
        with ZipFile(await (await download.value).path()) as zipped:
            assert sorted(zipped.namelist()) == ["account.json", "calendars/Personal.ics"]
        await visitor.press("main a:has-text('Delete my account')")
        await visitor.look()
        await visitor.send()
        await visitor.look("asked")
        assert "Your account will be deleted" in await visitor.text()
        await sign_in(visitor, email)
        await visitor.look("kept")
        assert "Your account will not be deleted." in await visitor.text()
