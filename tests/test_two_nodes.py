"""Two processes of the application over one PostgreSQL: what one does, the other heeds.

Each person in these tests has an account of their own, so that limits do not add up.
"""

import asyncio
import itertools
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pyotp
import pytest
import pytest_asyncio
from quart import Quart
from sqlalchemy import func, select

from sched_async import lifespan
from sched_async.accounts.admin.actions import act_on
from sched_async.accounts.password_reset import link_for
from sched_async.accounts.registration.invitations import invite
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.models import OutgoingMail, User

from .accounts.factors import SET_UP, STEP, recovery_codes_in
from .conftest import ALICE_PASSWORD, SECRET_KEY
from .mailbox import MailServer
from .servers import ROOT, WebServer, create_database, drop_database, hypercorn_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "localhost"
HOME = "/appointments/"
RESET = "/password/reset/"
NEW = "eleven slow herons at dusk"
SECONDS = 30

numbers = itertools.count(1)


@dataclass(frozen=True)
class Nodes:
    """Both processes, what they were started with, and the server that takes their mail."""

    a: WebServer
    b: WebServer
    settings: Mapping[str, Any]
    app: Quart
    """By the same settings, and not served."""
    mail: MailServer

    def __iter__(self) -> Any:
        return iter((self.a, self.b))

    async def run(self, command: str) -> str:
        """What the command line prints, in a process of its own on the same database."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "sched_async", *command.split()],
            env=os.environ | environment(self.settings),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return str(done.stdout)

    @asynccontextmanager
    async def at_hand(self) -> AsyncIterator[None]:
        """What the command line has, without a process of its own, which takes a while."""
        async with lifespan.working(self.app):
            yield

    async def add(self, name: str = "Person") -> str:
        """A new account, with Alice's password; gives its address."""
        email = f"{name.lower()}{next(numbers)}@example.org"
        facts = {"name": name, "password": ALICE_PASSWORD, "timezone": "UTC"}
        async with self.at_hand():
            await create_account(email=email, **facts)
        return email

    async def count(self, *where: Any) -> int:
        async with self.at_hand(), reading() as db:
            return await db.scalar(select(func.count()).where(*where)) or 0


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    return {f"SCHED_{name}": str(value) for name, value in settings.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes(
    postgresql: str, blank_postgresql: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Nodes]:
    url = await create_database(postgresql, "two_nodes", blank_postgresql)
    folder: Path = tmp_path_factory.mktemp("two_nodes")
    async with MailServer().running() as server:
        settings = {
            "SECRET_KEY": SECRET_KEY,
            "DATA_DIR": folder,
            "DATABASE_URL": url,
            "PUBLIC_URL": f"http://{HOST}",
            "REGISTRATION": "invite",
            "MAIL_URL": server.url,
        }
        with ExitStack() as stack:
            webs = [hypercorn_server(environment(settings)) for _ in range(2)]
            starting = (asyncio.to_thread(stack.enter_context, web) for web in webs)
            a, b = await asyncio.gather(*starting)
            yield Nodes(a, b, settings, create_app(settings), server)
            await asyncio.to_thread(stack.pop_all().close)
    await drop_database(postgresql, "two_nodes")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


@dataclass
class Browser:
    """One person's browser, which any node may answer."""

    cookies: dict[str, str] = field(default_factory=dict)

    async def get(self, node: WebServer, path: str) -> Answer:
        return await self._send(node, "GET", path, "")

    async def post(self, node: WebServer, path: str, form: Mapping[str, str]) -> Answer:
        return await self._send(node, "POST", path, urlencode(form))

    async def fill_in(self, node: WebServer, page: str, **form: str) -> Answer:
        """Send a form of a page, as it was shown."""
        return await self.post(node, page, {"csrf_token": await self.token(node, page), **form})

    async def token(self, node: WebServer, page: str) -> str:
        shown = (await self.get(node, page)).text
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', shown)
        assert found, f"{page} has no form"
        return found[1]

    async def sign_in(self, node: WebServer, email: str, password: str = ALICE_PASSWORD) -> Answer:
        return await self.fill_in(node, "/login/", username=email, password=password)

    async def is_signed_in(self, node: WebServer) -> bool:
        return (await self.get(node, HOME)).status == 200

    def copy(self) -> "Browser":
        return Browser(dict(self.cookies))

    async def _send(self, node: WebServer, method: str, path: str, body: str) -> Answer:
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: {HOST}",
            "Connection: close",
            "Content-Type: application/x-www-form-urlencoded",
            f"Content-Length: {len(body)}",
            f"Cookie: {'; '.join(f'{name}={value}' for name, value in self.cookies.items())}",
        ]
        reader, writer = await asyncio.open_connection("127.0.0.1", node.port)
        try:
            writer.write("\r\n".join([*head, "", body]).encode())
            return self._read((await reader.read()).decode())
        finally:
            writer.close()
            await writer.wait_closed()

    def _read(self, answer: str) -> Answer:
        head, _, body = answer.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        pairs = [
            (name.lower(), value) for name, _, value in (line.partition(": ") for line in lines)
        ]
        for name, value in pairs:
            if name == "set-cookie":
                self._keep(SimpleCookie(value))
        return Answer(int(first.split()[1]), dict(pairs), unescape(body))

    def _keep(self, sent: SimpleCookie) -> None:
        for name, cookie in sent.items():
            if cookie["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = cookie.value


async def signed_in(node: WebServer, email: str) -> Browser:
    browser = Browser()
    assert (await browser.sign_in(node, email)).location == HOME
    return browser


async def at_once(nodes: Nodes, page: str, browsers: list[Browser], *forms: dict[str, str]) -> Any:
    """The page is open in each browser, then all send it, to one node and the other by turns."""
    turns = list(zip(browsers, itertools.cycle(nodes), forms, strict=False))
    tokens = [await browser.token(node, page) for browser, node, _ in turns]
    return await asyncio.gather(
        *(
            browser.post(node, page, {"csrf_token": token, **form})
            for token, (browser, node, form) in zip(tokens, turns, strict=True)
        )
    )


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Other processes change what is waited for, so looking again is all there is."""
    async with asyncio.timeout(SECONDS):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


# Mail


async def test_both_send_mail_and_each_message_goes_out_once(nodes: Nodes) -> None:
    """While the mail server keeps the first two waiting, each node has one in its hands.

    It comes first, before others write messages that it would have to wait for.
    """
    emails = [await nodes.add() for _ in range(6)]
    received = nodes.mail.received

    async def all_are_sent() -> bool:
        return await nodes.count(OutgoingMail.sent_at.is_(None)) == 0

    async def two_are_on_their_way() -> bool:
        return len(received) >= before + 2

    async def all_arrived() -> bool:
        return len(received) >= before + 6

    await until(all_are_sent)
    before = len(received)
    nodes.mail.open.clear()
    forms = [{"email": email} for email in emails]
    answers = await at_once(nodes, "/password/forgot/", [Browser() for _ in emails], *forms)
    assert [answer.status for answer in answers] == [200] * 6
    await until(two_are_on_their_way)
    nodes.mail.open.set()
    await until(all_arrived)
    await until(all_are_sent)
    assert sorted(str(message["To"]) for message in received[before:]) == sorted(emails)
    assert len({message["Message-ID"] for message in received[before:]}) == 6


# Login sessions


async def test_signing_out_at_one_is_signed_out_at_the_other(nodes: Nodes) -> None:
    """ASVS 7.4.1: for a copied cookie, too."""
    browser = await signed_in(nodes.a, await nodes.add())
    copied = browser.copy()
    assert await copied.is_signed_in(nodes.b)
    assert (await browser.fill_in(nodes.a, "/logout/")).location == "/login/"
    assert not await copied.is_signed_in(nodes.b)
    assert not await browser.is_signed_in(nodes.b)


async def test_a_device_that_is_signed_out_at_one_is_out_at_the_other(nodes: Nodes) -> None:
    """ASVS 7.5.2."""
    email = await nodes.add()
    laptop, phone = await signed_in(nodes.a, email), await signed_in(nodes.b, email)
    page = (await laptop.get(nodes.a, "/account/devices/")).text
    (path,) = re.findall(r'action="(/account/devices/\d+/sign-out/)"', page)
    token = await laptop.token(nodes.a, "/account/devices/")
    assert (await laptop.post(nodes.a, path, {"csrf_token": token})).status == 303
    assert not await phone.is_signed_in(nodes.b)
    assert await laptop.is_signed_in(nodes.b)


async def test_a_deactivation_by_the_command_line_is_seen_by_both(nodes: Nodes) -> None:
    """ASVS 7.4.2."""
    email = await nodes.add()
    browsers = [await signed_in(node, email) for node in nodes]
    await nodes.run(f"user deactivate {email}")
    for node, browser in zip(nodes, browsers, strict=True):
        assert not await browser.is_signed_in(node)
        assert (await Browser().sign_in(node, email)).status == 403


@pytest_asyncio.fixture(loop_scope="module")
async def admin(nodes: Nodes) -> Browser:
    """An administrator's browser, signed in at A."""
    email = await nodes.add("Admin")
    async with nodes.at_hand():
        await act_on(email, "make-administrator")
    return await signed_in(nodes.a, email)


async def act(nodes: Nodes, admin: Browser, email: str, what: str) -> None:
    """Do something to an account on the page about it, at A."""
    found = (await admin.get(nodes.a, f"/admin/users/?{urlencode({'q': email})}")).text
    (page,) = set(re.findall(r'href="(/admin/users/\d+/)"', found))
    token = await admin.token(nodes.a, page)
    answer = await admin.post(nodes.a, f"{page}{what}/", {"csrf_token": token})
    assert answer.location == page


async def test_a_deactivation_by_an_administrator_is_seen_at_the_other(
    nodes: Nodes, admin: Browser
) -> None:
    """ASVS 7.4.2."""
    email = await nodes.add()
    browser = await signed_in(nodes.b, email)
    await act(nodes, admin, email, "deactivate")
    assert not await browser.is_signed_in(nodes.b)
    assert (await Browser().sign_in(nodes.b, email)).status == 403


async def test_a_role_that_is_given_or_taken_at_one_counts_at_the_other(
    nodes: Nodes, admin: Browser
) -> None:
    """ASVS 8.3.2: in a session that is open already."""
    email = await nodes.add()
    browser = await signed_in(nodes.b, email)
    for what, status in (("make", 200), ("end", 404), ("make", 200)):
        await act(nodes, admin, email, f"{what}-administrator")
        assert (await browser.get(nodes.b, "/admin/users/")).status == status


async def test_changing_the_password_at_one_ends_sessions_at_the_other(nodes: Nodes) -> None:
    """ASVS 7.4.3."""
    email = await nodes.add()
    mine, other = await signed_in(nodes.a, email), await signed_in(nodes.b, email)
    form = {"current_password": ALICE_PASSWORD, "password": NEW, "password_again": NEW}
    assert (await mine.fill_in(nodes.a, "/account/password/", **form)).status == 303
    assert not await other.is_signed_in(nodes.b)
    assert await mine.is_signed_in(nodes.b)
    assert (await Browser().sign_in(nodes.b, email)).status == 401
    assert (await Browser().sign_in(nodes.b, email, NEW)).location == HOME


# Limits


async def test_wrong_passwords_add_up_over_both(nodes: Nodes) -> None:
    """ASVS 6.3.1."""
    email = await nodes.add()
    for node in nodes:
        for _ in range(5):
            assert (await Browser().sign_in(node, email, "not the password")).status == 401
    for node in nodes:
        answer = await Browser().sign_in(node, email)
        assert answer.status == 429
        assert 0 < int(answer.headers["retry-after"]) <= 15 * 60


async def test_wrong_passwords_at_the_same_instant_add_up_over_both(nodes: Nodes) -> None:
    """ASVS 6.3.1: none slips through between counting and looking."""
    email = await nodes.add()
    forms = [{"username": email, "password": "not the password"}] * 14
    answers = await at_once(nodes, "/login/", [Browser() for _ in forms], *forms)
    assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 4


# What works once


async def with_factor(nodes: Nodes) -> tuple[str, pyotp.TOTP, list[str]]:
    """A new account with a second factor: its address, the app, the recovery codes."""
    email = await nodes.add()
    browser = await signed_in(nodes.a, email)
    found = re.search(r'class="key">([A-Z2-7 ]+)<', (await browser.get(nodes.a, SET_UP)).text)
    assert found
    app = pyotp.TOTP(found[1].replace(" ", ""))
    answer = await browser.fill_in(nodes.a, SET_UP, code=app.now())
    codes = recovery_codes_in(answer.text)
    assert len(codes) == 10
    return email, app, codes


async def at_second_step(nodes: Nodes, email: str, number: int) -> list[Browser]:
    """As many browsers in which the password was right, at one node and the other by turns."""
    browsers = [Browser() for _ in range(number)]
    for node, browser in zip(itertools.cycle(nodes), browsers, strict=False):
        assert (await browser.sign_in(node, email)).location == STEP
    return browsers


async def only_one_is_in(nodes: Nodes, browsers: list[Browser], answers: list[Answer]) -> None:
    assert sorted(answer.status for answer in answers) == [303] + [401] * (len(browsers) - 1)
    for browser, answer in zip(browsers, answers, strict=True):
        for node in nodes:
            assert await browser.is_signed_in(node) == (answer.location == HOME)


async def test_a_code_at_both_at_the_same_instant_signs_in_once(nodes: Nodes) -> None:
    """ASVS 6.5.1."""
    email, app, _ = await with_factor(nodes)
    browsers = await at_second_step(nodes, email, 6)
    code = app.at(datetime.now(UTC), counter_offset=1)  # the one of now is used
    answers = await at_once(nodes, STEP, browsers, *[{"code": code}] * 6)
    await only_one_is_in(nodes, browsers, answers)


async def test_a_recovery_code_at_both_at_the_same_instant_signs_in_once(nodes: Nodes) -> None:
    """ASVS 6.5.1."""
    email, _, codes = await with_factor(nodes)
    browsers = await at_second_step(nodes, email, 6)
    answers = await at_once(nodes, STEP, browsers, *[{"code": codes[0]}] * 6)
    await only_one_is_in(nodes, browsers, answers)
    (late,) = await at_second_step(nodes, email, 1)
    assert (await late.fill_in(nodes.b, STEP, code=codes[0])).status == 401
    assert (await late.fill_in(nodes.b, STEP, code=codes[1])).location == HOME


def new_passwords(number: int) -> list[dict[str, str]]:
    return [
        {"password": password, "password_again": password}
        for password in (f"{NEW} {index}" for index in range(number))
    ]


async def which_signs_in(nodes: Nodes, email: str, passwords: list[str]) -> list[str]:
    answers = [await Browser().sign_in(nodes.b, email, password) for password in passwords]
    return [
        password
        for password, answer in zip(passwords, answers, strict=True)
        if answer.location == HOME
    ]


async def test_a_reset_link_at_both_at_the_same_instant_sets_one_password(nodes: Nodes) -> None:
    """ASVS 6.4.3."""
    email = await nodes.add()
    async with nodes.at_hand():
        link = urlsplit(await link_for(email)).path
    browsers = [Browser() for _ in range(4)]
    for node, browser in zip(itertools.cycle(nodes), browsers, strict=False):
        assert (await browser.get(node, link)).location == RESET
    forms = new_passwords(4)
    answers = await at_once(nodes, RESET, browsers, *forms)
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404]
    (winner,) = (index for index, answer in enumerate(answers) if answer.status == 303)
    passwords = [ALICE_PASSWORD, *(form["password"] for form in forms)]
    assert await which_signs_in(nodes, email, passwords) == [forms[winner]["password"]]


async def test_an_invitation_at_both_at_the_same_instant_makes_one_account(nodes: Nodes) -> None:
    """ASVS 6.4.1."""
    email = f"guest{next(numbers)}@example.org"
    async with nodes.at_hand(), begin() as db:
        link = urlsplit(await invite(db, email)).path
    browsers = [Browser() for _ in range(4)]
    for node, browser in zip(itertools.cycle(nodes), browsers, strict=False):
        assert (await browser.get(node, link)).location == "/register/"
    forms = [{"name": "Guest", "timezone": "UTC", **form} for form in new_passwords(4)]
    answers = await at_once(nodes, "/register/", browsers, *forms)
    assert sorted(answer.status for answer in answers) == [303, 404, 404, 404]
    assert await nodes.count(User.email == email) == 1
    (winner,) = (index for index, answer in enumerate(answers) if answer.status == 303)
    passwords = [form["password"] for form in forms]
    assert await which_signs_in(nodes, email, passwords) == [passwords[winner]]
