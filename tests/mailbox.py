"""The outbox of an app in the tests, the links in it, and a server that takes mail.

Mail counts as set up when the settings have ``"MAIL_URL": MAIL_URL``, where nothing
listens, so that everything stays in the outbox:

    @pytest.fixture
    def settings(settings: dict[str, Any]) -> dict[str, Any]:
        return settings | {"MAIL_URL": MAIL_URL}

    (mail,) = await mails(app)
    await client.get(path_in(mail))  # link_in(mail) begins with SCHED_PUBLIC_URL

Where mail is to arrive, MAIL_URL is the ``url`` of a ``MailServer``.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from quart import Quart
from sqlalchemy import select

from sched_async.database import reading
from sched_async.models import OutgoingMail

MAIL_URL = "smtp://127.0.0.1:9"


async def mails(app: Quart) -> list[OutgoingMail]:
    """Every message in the outbox, the oldest first."""
    async with app.app_context(), reading() as db:
        return list(await db.scalars(select(OutgoingMail).order_by(OutgoingMail.id).limit(100)))


def link_in(mail: OutgoingMail) -> str:
    """The one link of a message, which its text and its HTML part share."""
    links = set(re.findall(r"https?://[^\s<>\"]+/[^\s<>\"]+", mail.text))
    assert len(links) == 1, mail.text
    (link,) = links
    assert f'href="{link}"' in mail.html
    return str(link)


def path_in(mail: OutgoingMail) -> str:
    """What a test client asks for to open the link of a message."""
    link = urlsplit(link_in(mail))
    return link.path + (f"?{link.query}" if link.query else "")


class MailServer:
    """Takes mail on a loopback port; ``answers`` are what it says instead of yes.

    While ``open`` is not set, it does not answer to a message that it has read.
    """

    user, password = "sched", "p@ss/word#1"

    def __init__(self) -> None:
        self.port = 0
        self.answers: dict[str, str] = {}
        self.recipients: list[str] = []
        self.received: list[EmailMessage] = []
        """Every message read, also when no good answer followed."""
        self.sign_ins: list[tuple[str, str]] = []
        self.breaks_off = False
        self.open = asyncio.Event()
        self.open.set()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    # What aiosmtpd calls:

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:  # noqa: N802
        self.recipients += envelope.rcpt_tos
        message = message_from_bytes(envelope.content, EmailMessage, policy=policy.default)
        self.received.append(message)
        await self.open.wait()
        if self.breaks_off and isinstance(server.transport, asyncio.Transport):
            server.transport.abort()
        return self.answers.get("DATA", "250 OK")

    def signs_in(self, *arguments: Any) -> AuthResult:
        login: LoginPassword = arguments[-1]
        self.sign_ins.append((login.login.decode(), login.password.decode()))
        is_known = self.sign_ins[-1] == (self.user, self.password)
        return AuthResult(success=is_known, handled=False)

    @asynccontextmanager
    async def running(self, **how: Any) -> AsyncIterator["MailServer"]:
        loop = asyncio.get_running_loop()
        how = {"hostname": "localhost", "loop": loop, **how}
        context = how.pop("ssl", None)
        server = await loop.create_server(
            lambda: SMTP(self, **how), "127.0.0.1", self.port, ssl=context
        )
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            yield self
            self.open.set()
