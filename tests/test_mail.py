"""Mail: written down with its reason, sent once, and tried again when that fails.

The server it is handed to is a real one, on a loopback port of its own.
"""

import asyncio
import re
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import ChoiceLoader, DictLoader
from quart import Quart, abort, request
from sqlalchemy import update

from sched_async import lifespan, mail, mail_parts
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.config import SettingError, load
from sched_async.database import begin, db
from sched_async.models import OutgoingMail
from sched_async.testing import Client
from sched_async.times import now

from .mailbox import MAIL_URL, MailServer, mails
from .servers import ROOT, hypercorn_server

pytestmark = pytest.mark.databases("sqlite", "postgresql")

TO = "ada@example.org"
SUBJECT = "Your way in, für Ada"
LINK = "http://localhost/way-in/Zm9vYmFy-MDEyMzQ1Njc4OWFiY2RlZg/"
NOTE = f"{SUBJECT}\n\nHello {{{{ name }}}}, the way in is below.\n\nGo in:\n{{{{ link }}}}\n"
TEMPLATES = {"mail/note.txt": NOTE, "mail/named.txt": "Hello {{ name }}\n\nA text to {{ name }}.\n"}

only_sqlite = pytest.mark.databases("sqlite")
only_postgresql = pytest.mark.databases("postgresql")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with MailServer().running() as server:
        yield server


@pytest.fixture
def settings(settings: dict[str, Any], server: MailServer) -> dict[str, Any]:
    return settings | {"MAIL_URL": server.url}


@pytest.fixture
def environment(settings: dict[str, Any]) -> dict[str, str]:
    return {f"SCHED_{name}": str(value) for name, value in settings.items()}


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=30))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    path = tmp_path_factory.mktemp("certificate") / "server.pem"
    kept = key.private_bytes(*pem, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + kept)
    return path


@pytest.fixture
def make_app(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Quart]:
    """Apps with a page that posts a message, and then fails when asked to.

    They look for mail at start and when they are told, since nobody waits for an hour.
    """
    monkeypatch.setattr(mail, "LOOK_EVERY", timedelta(hours=1))

    def make_app(**more: Any) -> Quart:
        app = create_app(settings | more)
        loader = app.jinja_env.loader
        assert loader
        app.jinja_env.loader = ChoiceLoader([DictLoader(TEMPLATES), loader])

        @app.post("/write/")
        @public
        async def write() -> str:
            await mail.post(db, TO, "note", name="Ada <3", link=LINK)
            if "fail" in request.args:
                abort(422)
            await db.commit()
            return "written"

        return app

    return make_app


@pytest.fixture
async def app(make_app: Callable[..., Quart]) -> AsyncIterator[Quart]:
    app = make_app()
    async with app.test_app():
        yield app


async def write(app: Quart) -> None:
    """Have a request write a message down; the app sends it beside it."""
    assert (await Client(app).post("/write/")).status_code == 200


async def write_quietly(app: Quart, count: int = 1) -> None:
    """Write messages down so that nobody is told, as the command line does."""
    async with app.app_context(), begin() as session:
        for number in range(count):
            to = f"ada{number}@example.org"
            await mail.post(session, to, "note", name="Ada", link=LINK)


async def send(app: Quart) -> None:
    async with app.app_context():
        await mail.send_due()


async def until(true: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not true():  # noqa: ASYNC110 (it comes from outside)
            await asyncio.sleep(0.01)


async def noted(app: Quart, true: Callable[[OutgoingMail], Any]) -> OutgoingMail:
    """The one message, as soon as that has become true of it."""
    async with asyncio.timeout(30):
        while True:
            (only,) = await mails(app)
            if true(only):
                return only
            await asyncio.sleep(0.01)


async def make_due(app: Quart) -> None:
    """As if the wait, or the lease, were over."""
    async with app.app_context(), begin() as session:
        await session.execute(update(OutgoingMail).where(*mail.WAITING).values(next_try_at=now()))


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert isinstance(body, EmailMessage)
    content: str = body.get_content()
    return content


def is_sent(row: OutgoingMail) -> bool:
    return row.sent_at is not None


def has_failed(row: OutgoingMail) -> bool:
    return row.problem != ""


# Sent


async def test_what_a_request_posts_arrives_once_in_both_forms(
    app: Quart, server: MailServer
) -> None:
    await write(app)
    row = await noted(app, is_sent)
    await send(app)
    (message,) = server.received
    assert server.recipients == [TO]
    assert (message["To"], message["Subject"]) == (TO, SUBJECT)
    assert (message["From"], message["Auto-Submitted"]) == (
        "sched <sched@localhost>",
        "auto-generated",
    )
    assert message["Message-ID"] == row.message_id
    assert message["Date"].datetime == row.created_at
    assert message.get_content_type() == "multipart/alternative"
    lines = part(message, "plain").splitlines()
    assert lines[:4] == ["Hello Ada <3, the way in is below.", "", "Go in:", LINK]
    assert "Hello Ada &lt;3" in part(message, "html")
    assert f'href="{LINK}"' in part(message, "html")


async def test_what_was_sent_keeps_neither_text_nor_link(app: Quart, server: MailServer) -> None:
    await write(app)
    row = await noted(app, is_sent)
    assert (row.text, row.html, row.next_try_at, row.tries) == ("", "", None, 1)


async def test_a_request_that_fails_sends_nothing(app: Quart, server: MailServer) -> None:
    assert (await Client(app).post("/write/?fail=1")).status_code == 422
    await send(app)
    assert await mails(app) == []
    assert server.received == []


async def test_each_message_has_an_id_of_its_own(app: Quart, server: MailServer) -> None:
    await write_quietly(app, 3)
    await send(app)
    await until(lambda: len(server.received) == 3)
    assert len({message["Message-ID"] for message in server.received}) == 3
    assert all(message["Message-ID"].endswith("@localhost>") for message in server.received)


async def test_senders_that_start_at_once_send_each_message_once(
    app: Quart, server: MailServer
) -> None:
    await write_quietly(app, 20)
    await asyncio.gather(*(send(app) for _ in range(5)))
    await until(lambda: len(server.received) >= 20)
    assert sorted(server.recipients) == sorted(f"ada{number}@example.org" for number in range(20))


async def test_the_domain_of_an_address_is_sent_in_ascii(app: Quart, server: MailServer) -> None:
    async with app.app_context(), begin() as session:
        await mail.post(session, "ada@bücher.example", "note", name="Ada", link=LINK)
    await send(app)
    await until(lambda: server.received)
    assert server.recipients == ["ada@xn--bcher-kva.example"]


@only_sqlite
async def test_a_local_part_beyond_ascii_needs_a_server_that_takes_it(
    make_app: Callable[..., Quart],
) -> None:
    async with MailServer().running(enable_SMTPUTF8=True) as server:
        app = make_app(MAIL_URL=server.url)
        async with app.test_app():
            async with app.app_context(), begin() as session:
                await mail.post(session, "ädä@example.org", "note", name="Ä", link=LINK)
            await send(app)
            await noted(app, is_sent)
    assert server.recipients == ["ädä@example.org"]


# Not sent


@only_sqlite
@pytest.mark.parametrize(
    ("to", "sender", "problem", "is_final"),
    [
        ("jörg@example.org", "", "no recipient with letters beyond ASCII", True),
        (TO, "jörg@example.org", r"no sender (SCHED_MAIL_FROM) with letters beyond ASCII", False),
    ],
)
async def test_a_server_without_smtputf8_is_told_no_letters_beyond_ascii(
    server: MailServer,
    make_app: Callable[..., Quart],
    to: str,
    sender: str,
    problem: str,
    is_final: bool,
) -> None:
    app = make_app(MAIL_FROM=sender)
    async with app.test_app():
        async with app.app_context(), begin() as session:
            await mail.post(session, to, "note", name="Jörg", link=LINK)
        await send(app)
        row = await noted(app, has_failed)
    assert problem in row.problem
    assert row.problem.endswith("before the @ (SMTPUTF8)")
    assert (row.next_try_at is None) is is_final
    assert server.received == []


@only_sqlite
@pytest.mark.parametrize(
    ("answers", "problem", "is_final"),
    [
        ({"RCPT": "421 Not now"}, "the server refuses the recipient: 421", False),
        ({"RCPT": "450 4.2.1 Greylisted"}, "the server refuses the recipient: 450 4.2.1", False),
        ({"RCPT": f"550 5.1.1 <{TO}> who?"}, "the server refuses the recipient: 550 5.1.1", True),
        ({"DATA": "421 4.3.2 Not now"}, "the server refuses the message: 421 4.3.2", False),
        ({"DATA": f"554 Spam: {LINK}"}, "the server refuses the message: 554", True),
        (
            {"MAIL": "550 5.7.1 Not you"},
            "the server refuses the sender (SCHED_MAIL_FROM): 550 5.7.1",
            False,
        ),
    ],
    ids=str,
)
async def test_a_refusal_is_noted_and_only_a_final_one_is_the_last(
    app: Quart, server: MailServer, answers: dict[str, str], problem: str, is_final: bool
) -> None:
    server.answers = answers
    await write(app)
    row = await noted(app, has_failed)
    assert row.problem == problem
    assert (row.sent_at, row.next_try_at is None) == (None, is_final)
    assert LINK in row.text
    server.answers = {}
    await make_due(app)
    await send(app)
    if is_final:
        assert [is_sent(row) for row in await mails(app)] == [False]
    else:  # the app's own job may have taken it
        await noted(app, is_sent)


@only_sqlite
async def test_a_server_that_greets_with_421_is_tried_again(make_app: Callable[..., Quart]) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"421 4.3.2 Shutting down\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        app = make_app(MAIL_URL=f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with app.test_app():
            await write(app)
            row = await noted(app, has_failed)
    assert row.problem == "the server is not accepting email now: 421 4.3.2"
    assert row.next_try_at


async def test_a_message_that_was_broken_off_comes_again_under_the_same_id(
    app: Quart, server: MailServer
) -> None:
    server.breaks_off = True
    await write(app)
    row = await noted(app, has_failed)
    assert row.problem == "the server closed the connection"
    server.breaks_off = False
    await make_due(app)
    await send(app)
    await noted(app, is_sent)
    assert [message["Message-ID"] for message in server.received] == [row.message_id] * 2


async def test_a_slow_server_holds_nobody_up(app: Quart, server: MailServer) -> None:
    server.open.clear()
    await write(app)
    await until(lambda: server.received)
    await write(app)
    assert [row.tries for row in await mails(app)] == [1, 0]
    server.open.set()
    await send(app)
    await until(lambda: len(server.received) == 2)


async def test_a_server_that_is_too_slow_is_left(
    app: Quart, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "ANSWER_SECONDS", 0.3)
    server.open.clear()
    await write(app)
    row = await noted(app, has_failed)
    assert row.problem == "the server took too long"
    assert row.next_try_at


async def test_a_server_that_drips_is_left_too(
    app: Quart, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "SEND_SECONDS", 0.3)
    server.open.clear()
    await write(app)
    assert (await noted(app, has_failed)).problem == "the server took too long"


async def test_the_waits_grow_until_it_is_given_up(app: Quart, server: MailServer) -> None:
    server.answers = {"RCPT": "450 Later"}
    waits = []
    with time_machine.travel(datetime.now(UTC).replace(microsecond=0), tick=False) as clock:
        await write(app)
        row = await noted(app, has_failed)
        while row.next_try_at:
            waits.append(row.next_try_at - now())
            clock.move_to(row.next_try_at)
            await send(app)
            (row,) = await mails(app)
    minutes = [int(wait.total_seconds() / 60) for wait in waits]
    assert minutes == [1, 5, 15, 60, 240, 720]
    assert (row.sent_at, row.tries) == (None, 7)


async def test_one_that_cannot_be_sent_does_not_hold_the_others(
    app: Quart, server: MailServer
) -> None:
    async with app.app_context(), begin() as session:
        await mail.post(session, TO, "note", name="Ada", link=LINK)
        await session.flush()
        await session.execute(update(OutgoingMail).values(subject="two\r\nlines"))
        await mail.post(session, TO, "note", name="Ada", link=LINK)
    await send(app)
    first, second = await mails(app)
    assert (first.problem, first.sent_at) == ("ValueError", None)
    assert is_sent(second)


# Restarts and several processes


async def test_a_restart_keeps_a_message_and_sends_it_once(
    make_app: Callable[..., Quart], server: MailServer
) -> None:
    app = make_app(MAIL_URL=MAIL_URL)
    async with app.test_app():
        await write(app)
        row = await noted(app, has_failed)
        assert row.problem == "the server cannot be reached"
        await make_due(app)
    for _ in range(2):
        app = make_app()
        async with app.test_app():
            await noted(app, is_sent)
            await send(app)
    assert [message["Message-ID"] for message in server.received] == [row.message_id]


async def test_a_stop_waits_for_the_answer_to_what_was_just_handed_over(
    make_app: Callable[..., Quart], server: MailServer
) -> None:
    server.open.clear()
    app = make_app()
    await (serving := app.test_app()).startup()
    await write(app)
    await until(lambda: server.received)
    stopping = asyncio.ensure_future(serving.shutdown())
    await asyncio.sleep(0.1)
    server.open.set()
    await stopping
    async with (app := make_app()).test_app():
        assert is_sent(*await mails(app))


async def test_a_stop_does_not_wait_for_ever(
    make_app: Callable[..., Quart], server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "STOP_SECONDS", 0.2)
    server.open.clear()
    app = make_app()
    async with app.test_app():
        await write(app)
        await until(lambda: server.received)
    async with (app := make_app()).test_app():
        (row,) = await mails(app)
    assert (row.sent_at, row.tries) == (None, 1)


async def test_what_a_killed_process_was_sending_is_sent_after_its_lease(
    make_app: Callable[..., Quart], environment: dict[str, str], server: MailServer
) -> None:
    app = make_app(MAIL_URL=MAIL_URL)
    async with app.test_app():
        await write(app)
        await noted(app, has_failed)
        await make_due(app)
    server.open.clear()
    with ExitStack() as stack:  # entered in a thread: the mail server lives in this loop
        web = await asyncio.to_thread(stack.enter_context, hypercorn_server(environment))
        await until(lambda: server.received)
        web.process.kill()
        await asyncio.to_thread(web.process.wait)
    server.open.set()
    async with (app := make_app()).test_app():
        await send(app)
        (row,) = await mails(app)
        assert (row.sent_at, row.tries, len(server.received)) == (None, 2, 1)
        assert row.next_try_at
        assert now() < row.next_try_at <= now() + mail.LEASE
        await make_due(app)
        await send(app)
        await noted(app, is_sent)
    assert [message["Message-ID"] for message in server.received] == [row.message_id] * 2


@only_postgresql
async def test_two_processes_on_one_database_send_each_message_once(
    make_app: Callable[..., Quart], environment: dict[str, str], server: MailServer
) -> None:
    app = make_app()
    async with lifespan.working(app):
        await write_quietly(app, 30)
    with ExitStack() as stack:
        webs = [hypercorn_server(environment) for _ in range(2)]
        await asyncio.gather(*(asyncio.to_thread(stack.enter_context, web) for web in webs))
        await until(lambda: len(server.received) >= 30)
        await asyncio.to_thread(stack.pop_all().close)
    ids = [message["Message-ID"] for message in server.received]
    assert len(ids) == len(set(ids)) == 30


# How it is handed over


async def test_user_and_password_are_given(make_app: Callable[..., Quart]) -> None:
    server = MailServer()
    async with server.running(authenticator=server.signs_in, auth_require_tls=False):
        account = f"{server.user}:{quote(server.password, safe='')}"
        app = make_app(MAIL_URL=server.url.replace("//", f"//{account}@"))
        async with app.test_app():
            await write(app)
            await noted(app, is_sent)
    assert server.sign_ins == [(server.user, server.password)]


async def test_a_wrong_password_is_a_problem_that_may_pass(make_app: Callable[..., Quart]) -> None:
    server = MailServer()
    async with server.running(authenticator=server.signs_in, auth_require_tls=False):
        app = make_app(MAIL_URL=server.url.replace("//", "//sched:wrong-password@"))
        async with app.test_app():
            await write(app)
            row = await noted(app, has_failed)
    words = "the server refuses the username or password (SCHED_MAIL_URL)"
    assert row.problem.startswith(words)
    assert row.next_try_at


@only_sqlite
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize("is_trusted", [True, False], ids=["trusted", "untrusted"])
async def test_encryption_wants_a_certificate_that_is_valid(
    make_app: Callable[..., Quart],
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
    is_trusted: bool,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with MailServer().running(
        **{"ssl": context} if scheme == "smtps" else {"tls_context": context}
    ) as server:
        app = make_app(MAIL_URL=f"{scheme}://127.0.0.1:{server.port}")
        async with app.test_app():
            await write(app)
            row = await noted(app, is_sent if is_trusted else has_failed)
    assert len(server.received) == is_trusted
    if not is_trusted:
        words = "the connection cannot be encrypted, or the certificate is not valid"
        assert row.problem == words


@only_sqlite
async def test_without_encryption_nothing_is_sent_where_it_is_wanted(
    make_app: Callable[..., Quart], server: MailServer
) -> None:
    app = make_app(MAIL_URL=server.url.replace("smtp:", "smtp+starttls:"))
    async with app.test_app():
        await write(app)
        row = await noted(app, has_failed)
    assert row.problem == (
        "the server does not offer what is needed, such as encryption or sign-in"
    )
    assert server.received == []


# Secrets and injection


@pytest.mark.parametrize("answer", ["250 OK", f"550 5.1.1 {TO} is unknown, {LINK} is bad"])
async def test_the_log_has_no_address_no_text_and_no_link(
    app: Quart, server: MailServer, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    caplog.set_level("DEBUG", "sched_async")
    server.answers = {"DATA": answer}
    await write(app)
    row = await noted(app, lambda row: not row.next_try_at)
    await until(lambda: f"mail id={row.id} " in caplog.text)
    for secret in (TO, "ada@", SUBJECT, "Hello", LINK, row.message_id, server.url):
        ours = [entry for entry in caplog.records if entry.name.startswith("sched_async")]
        assert not [entry for entry in ours if secret in entry.getMessage()]
        assert secret not in row.problem


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("ada@example.org\r\nBcc: mallory@example.org", "Ada"),
        ("ada@example.org, mallory@example.org", "Ada"),
        ("ada@example.org>\r\nRCPT TO:<mallory@example.org", "Ada"),
        ("ada", "Ada"),
        ("", "Ada"),
        ("ada@example.org", "Ada\r\nBcc: mallory@example.org"),
        ("ada@example.org", "Ada\n\n<h1>Another text</h1>"),
        ("ada@example.org", "Ada\rBcc: mallory@example.org"),
        ("ada@example.org", "Ada\N{LINE SEPARATOR}https://evil.example"),
    ],
)
@only_sqlite
async def test_nothing_can_add_a_header_a_recipient_or_a_line(
    app: Quart, to: str, name: str
) -> None:
    async with app.app_context(), begin() as session:
        with pytest.raises(ValueError, match=r"address|printable"):
            await mail.post(session, to, "named", name=name)
    assert await mails(app) == []


@only_sqlite
async def test_a_name_is_text_in_the_subject_and_in_both_parts(app: Quart) -> None:
    name = "<b>Ada</b> & https://evil.example"
    async with app.app_context():
        parts = await mail_parts.render("named", name=name)
    assert parts.subject == f"Hello {name}"
    assert name in parts.text
    assert "&lt;b&gt;Ada&lt;/b&gt; &amp; https://evil.example" in parts.html
    assert "<b>" not in parts.html
    assert "href" not in parts.html


@only_sqlite
@pytest.mark.parametrize("path", sorted((ROOT / "templates" / "mail").glob("*.txt")), ids=str)
def test_each_mail_begins_with_its_subject(path: Path) -> None:
    """And whatever follows a comma or a greeting begins with a capital."""
    subject, *paragraphs = path.read_text("utf-8").split("\n\n")
    if path.name != "footer.txt":
        assert re.fullmatch(r"[A-Z][^.\n]+", subject)
        assert re.fullmatch(r"Hello( {{ name }})?,", paragraphs[0])
    assert all(re.match(r"[A-Z{]", paragraph) for paragraph in paragraphs)


# Looking after it


async def test_old_messages_are_forgotten(app: Quart, server: MailServer) -> None:
    begun = datetime.now(UTC)
    kept: list[list[str]] = []
    with time_machine.travel(begun) as clock:
        await write_quietly(app, 1)
        await send(app)
        server.answers = {"RCPT": "550 No"}
        await write_quietly(app, 2)
        await send(app)
        for days in (6, 8, 29, 31):
            clock.move_to(begun + timedelta(days=days))
            async with app.app_context():
                await mail.tidy()
            kept.append(["sent" if row.sent_at else "given up" for row in await mails(app)])
    assert kept == [["sent", "given up", "given up"], *[["given up"] * 2] * 2, []]


async def test_a_message_whose_every_try_was_broken_off_is_given_up(
    app: Quart, server: MailServer
) -> None:
    async with app.app_context():
        async with begin() as session:
            await mail.post(session, TO, "note", name="Ada", link=LINK)
            await session.flush()
            await session.execute(update(OutgoingMail).values(tries=len(mail.WAITS) + 1))
        await mail.send_due()
        await mail.tidy()
    (row,) = await mails(app)
    assert (row.sent_at, row.next_try_at, row.problem) == (
        None,
        None,
        "every attempt was interrupted",
    )
    assert server.received == []


def sh(environment: dict[str, str], *command: str) -> str:
    """What a command prints, which does what it should."""
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env={"PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@only_sqlite
async def test_the_command_line_shows_the_outbox_and_tries_again(
    app: Quart, environment: dict[str, str], server: MailServer
) -> None:
    account = "//sched:not-to-be-shown@"
    environment["SCHED_MAIL_URL"] = environment["SCHED_MAIL_URL"].replace("//", account)
    await write_quietly(app, 1)
    await send(app)
    server.answers = {"RCPT": f"550 5.1.1 <{TO}>"}
    await write_quietly(app, 1)
    await send(app)
    server.answers = {"RCPT": "450 4.2.1 Later"}
    await write_quietly(app, 1)
    await send(app)
    rows = await mails(app)
    waiting_since = f"{rows[-1].created_at:%Y-%m-%d %H:%M} UTC"
    assert await asyncio.to_thread(sh, environment, "sched_async", "mail", "status") == (
        f"Email is sent through {server.url}, from sched@localhost.\n"
        f"Waiting: 1, the oldest since {waiting_since}\n"
        "Sent in the last 7 days: 1\n"
        "Given up: 1\n"
        "Last problem: the server refuses the recipient: 450 4.2.1\n"
    )
    server.answers = {}
    quart = ("quart", "--app", "sched_async")
    retried = await asyncio.to_thread(sh, environment, *quart, "mail", "retry")
    assert retried == "1 message will be retried.\n"
    await send(app)
    assert [is_sent(row) for row in await mails(app)] == [True, True, False]


# Without mail


@pytest.mark.parametrize("mail_url", ["", None])
async def test_without_a_server_nothing_is_written_or_attempted(
    make_app: Callable[..., Quart],
    environment: dict[str, str],
    server: MailServer,
    mail_url: str | None,
) -> None:
    app = make_app()
    async with lifespan.working(app):
        await write_quietly(app)  # from when there was one
    app = make_app(MAIL_URL=mail_url)
    async with app.test_app():
        await write(app)
        await send(app)
        (row,) = await mails(app)
        async with app.app_context():
            assert not mail.is_configured()
    assert (row.tries, server.received) == (0, [])
    if mail_url is None:
        return  # the command below has the same environment either way
    environment["SCHED_MAIL_URL"] = ""
    shown = await asyncio.to_thread(sh, environment, "sched_async", "mail", "status")
    assert shown == (
        "Email is off: SCHED_MAIL_URL is not set.\n"
        f"Waiting: 1, the oldest since {row.created_at:%Y-%m-%d %H:%M} UTC\n"
        "Sent in the last 7 days: 0\n"
        "Given up: 0\n"
    )


# Settings


@only_sqlite
@pytest.mark.parametrize(
    ("mail_url", "shown"),
    [
        ("smtp://mail.example.org", "smtp://mail.example.org:25"),
        ("smtps://ada:pw-123@mail.example.org/", "smtps://mail.example.org:465"),
        ("smtp+starttls://ada:p%40%3A1@mail.example.org", "smtp+starttls://mail.example.org:587"),
        ("smtp://ada:pw-123@127.0.0.1:2525", "smtp://127.0.0.1:2525"),
        ("smtps://[2001:db8::1]", "smtps://[2001:db8::1]:465"),
    ],
)
def test_a_mail_server_is_shown_without_user_and_password(mail_url: str, shown: str) -> None:
    server = load({"MAIL_URL": mail_url})["MAIL_URL"]
    assert str(server) == shown
    assert "pw-123" not in repr(server)


@only_sqlite
@pytest.mark.parametrize(
    ("mail_url", "problem"),
    [
        ("mail.example.org", "must look like smtp+starttls://"),
        ("http://ada:pw-123@mail.example.org", "must look like smtp+starttls://"),
        ("smtp://ada:pw-123@mail.example.org:port", "must look like smtp+starttls://"),
        ("smtps://ada:pw-123/4@mail.example.org", "must look like smtp+starttls://"),
        ("smtps://ada:#pw-123@mail.example.org", "write / as %2F and # as %23"),
        ("smtps://", "has no usable host"),
        ("smtps://mail.example.org/inbox", "has no usable host"),
        ("smtps://ada@mail.example.org", "needs both a user and a password, or neither"),
        ("smtp://ada:pw-123@mail.example.org", "would send its password unencrypted"),
    ],
)
def test_a_mail_server_that_cannot_be_is_refused_without_its_password(
    mail_url: str, problem: str
) -> None:
    with pytest.raises(SettingError) as refused:
        load({"MAIL_URL": mail_url})
    assert str(refused.value).startswith("SCHED_MAIL_URL ")
    assert problem in str(refused.value)
    assert "pw-123" not in str(refused.value)
    assert refused.value.__suppress_context__


@only_sqlite
@pytest.mark.parametrize(
    ("settings_given", "sender"),
    [
        ({"PUBLIC_URL": "https://sched.example.org:8443"}, "sched@sched.example.org"),
        ({"PUBLIC_URL": "http://127.0.0.1:8000"}, "sched@[127.0.0.1]"),
        ({"PUBLIC_URL": "http://localhost:8000"}, "sched@localhost"),
        ({"PUBLIC_URL": "http://[::1]:8000"}, "sched@[IPv6:::1]"),
        ({"MAIL_FROM": "Book@Example.org"}, "Book@example.org"),
    ],
)
async def test_mail_is_from_this_host_unless_somebody_else_is_named(
    server: MailServer,
    make_app: Callable[..., Quart],
    settings_given: dict[str, str],
    sender: str,
) -> None:
    app = make_app(**settings_given)
    async with lifespan.working(app):
        await write_quietly(app)
        await mail.send_due()
    (message,) = server.received
    assert message["From"].addresses[0].addr_spec == sender
    assert message["From"].addresses[0].display_name == "sched"


@pytest.mark.parametrize("sender", ["sched", "a@b\r\nBcc: c@d", "sched <sched@example.org>", "@"])
def test_a_sender_that_is_no_address_is_refused(sender: str) -> None:
    with pytest.raises(SettingError, match="SCHED_MAIL_FROM must be an email address"):
        load({"MAIL_FROM": sender})
