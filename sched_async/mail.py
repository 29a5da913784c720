"""The outbox: email is stored in the transaction it is about, and sent by a background job.

``post`` adds a message to the transaction that gives the reason for it, so there is one if,
and only if, the thing happened.  Sending is nobody's request: each process of the app takes
one due message after the other.  Taking it is one UPDATE, which counts the try and moves the
next one further than sending can last; so no two processes send the same message, a process
that dies leaves it to the others, and no message is tried more than ``len(WAITS) + 1`` times.
No transaction is open while a server is spoken to.

What cannot be had: when we, the connection or the database break off between the server's
last answer and our note of it, the message goes out a second time, with the Message-ID of
the first, by which mail programs know that it is the same.

The links in messages are secrets.  A sent message keeps neither text nor HTML, and the log
has nothing of any but its number.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from ssl import SSLError
from typing import Any, cast

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)
from quart import Quart, Response, current_app, has_request_context
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from . import mail_parts
from .config import MailServer
from .database import begin, reading
from .email_addresses import for_mail
from .jobs import Job, add_job
from .models import OutgoingMail
from .request_scope import storage
from .times import now

SENDER_NAME = "sched"
LOOK_EVERY = timedelta(seconds=15)
TIDY_EVERY = timedelta(hours=1)
ANSWER_SECONDS = 20
SEND_SECONDS = 60
STOP_SECONDS = 5
LEASE = timedelta(minutes=5)
"""For how long a message that is being sent is left alone; more than SEND_SECONDS."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 4 * 60, 12 * 60))
KEPT_SENT = timedelta(days=7)
KEPT_AT_ALL = timedelta(days=30)
ENHANCED_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}\b")


class SenderBeyondAsciiError(Exception):
    """Its address has letters beyond ASCII before the @, and the server lacks SMTPUTF8."""


class RecipientBeyondAsciiError(Exception):
    """Likewise."""


# What went wrong, in words of ours: a server's own may repeat the address.
PROBLEMS: tuple[tuple[type[Exception], str], ...] = (
    (SMTPRecipientRefused, "the server refuses the recipient"),
    (SMTPSenderRefused, "the server refuses the sender (SCHED_MAIL_FROM)"),
    (SMTPDataError, "the server refuses the message"),
    (SMTPAuthenticationError, "the server refuses the username or password (SCHED_MAIL_URL)"),
    (SMTPResponseException, "the server is not accepting email now"),
    (TimeoutError, "the server took too long"),
    (SSLError, "the connection cannot be encrypted, or the certificate is not valid"),
    (SMTPServerDisconnected, "the server closed the connection"),
    (OSError, "the server cannot be reached"),
    (
        RecipientBeyondAsciiError,
        "the server takes no recipient with letters beyond ASCII before the @ (SMTPUTF8)",
    ),
    (
        SenderBeyondAsciiError,
        "the server takes no sender (SCHED_MAIL_FROM) with letters beyond ASCII before the @ "
        "(SMTPUTF8)",
    ),
    (SMTPException, "the server does not offer what is needed, such as encryption or sign-in"),
)

WAITING = (OutgoingMail.sent_at.is_(None), OutgoingMail.next_try_at.is_not(None))
GIVEN_UP = (OutgoingMail.sent_at.is_(None), OutgoingMail.next_try_at.is_(None))

log = logging.getLogger("sched_async.mail")


def init_app(app: Quart) -> None:
    job = app.extensions["mail_job"] = add_job(app, send_due, LOOK_EVERY, at_start=True)
    add_job(app, tidy, TIDY_EVERY)
    app.after_request(_wake(job))


def _wake(job: Job) -> Any:
    async def wake(response: Response) -> Response:
        """Send at once what this request posted; by now it is committed."""
        if storage().pop("posted_mail", False):
            job.wake()
        return response

    return wake


def send_soon() -> None:
    """Send at once what was posted and committed beside a request."""
    cast(Job, current_app.extensions["mail_job"]).wake()


# Writing


def is_configured() -> bool:
    """Whether there is a server to hand mail to (SCHED_MAIL_URL)."""
    return current_app.config["MAIL_URL"] is not None


async def post(db: AsyncSession, to: str, template: str, **context: object) -> None:
    """Put a message in the outbox, from templates/mail/<template>.txt; the caller commits.

    Without a mail server nothing is written: it would
    be sent, with a link long dead, on the day that somebody sets one.  Raises ValueError for
    an address or a subject that would not be one header, and as ``mail_parts.render``.
    """
    if not is_configured():
        return
    parts = await mail_parts.render(template, **context)
    mail = OutgoingMail(
        recipient=to,
        subject=parts.subject,
        text=parts.text,
        html=parts.html,
        message_id=f"<{secrets.token_hex(16)}@{_own_domain()}>",
        created_at=now(),
    )
    _message(mail)
    db.add(mail)
    if has_request_context():
        storage()["posted_mail"] = True


def _own_domain() -> str:
    return cast(str, current_app.config["MAIL_FROM"]).rpartition("@")[2]


def _message(mail: OutgoingMail) -> EmailMessage:
    message = EmailMessage(SMTP_POLICY)
    message["From"] = Address(SENDER_NAME, *current_app.config["MAIL_FROM"].rsplit("@", 1))
    message["To"] = Address("", *for_mail(mail.recipient).rsplit("@", 1))
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = mail.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


# Sending


async def send_due() -> None:
    """Send what is due, one after the other, until nothing is."""
    while is_configured() and (mail := await _take()) is not None:
        await _to_its_end(_try(mail))


async def _take() -> OutgoingMail | None:
    """A message that nobody else has from now until its lease is over."""
    moment = now()
    due = (*WAITING, OutgoingMail.next_try_at <= moment, OutgoingMail.tries <= len(WAITS))
    first = (
        select(OutgoingMail.id)
        .where(*due)
        .order_by(OutgoingMail.next_try_at, OutgoingMail.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    taken = {"tries": OutgoingMail.tries + 1, "next_try_at": moment + LEASE}
    async with begin() as db:
        return await db.scalar(
            update(OutgoingMail)
            .where(OutgoingMail.id == first.scalar_subquery(), *due)
            .values(taken)
            .returning(OutgoingMail)
        )


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Let a stop of the app wait a little, so that what was just sent is noted."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=STOP_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _try(mail: OutgoingMail) -> None:
    """Send one message and note what became of it, before politely hanging up."""
    client = _client(current_app.config["MAIL_URL"])
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await client.connect()
            await _send(client, _message(mail))
    except Exception as error:  # whatever it is, the other messages go on
        await _note_failure(mail, error)
    else:
        await _note_sent(mail)
        with suppress(SMTPException):
            await client.quit(timeout=STOP_SECONDS)
    finally:
        client.close()


async def _send(client: SMTP, message: EmailMessage) -> None:
    sender, to = (message[name].addresses[0].addr_spec for name in ("From", "To"))
    try:
        await client.send_message(message, sender=sender, recipients=[to])
    except SMTPNotSupported:
        error = SenderBeyondAsciiError if to.isascii() else RecipientBeyondAsciiError
        raise error from None


def _client(server: MailServer) -> SMTP:
    return SMTP(
        hostname=server.host,
        port=server.port,
        username=server.user,
        password=server.password,
        use_tls=server.scheme == "smtps",
        start_tls=server.scheme == "smtp+starttls",
        local_hostname=_own_domain(),
        timeout=ANSWER_SECONDS,
    )


async def _note_sent(mail: OutgoingMail) -> None:
    sent = {"sent_at": now(), "next_try_at": None, "text": "", "html": "", "problem": ""}
    async with begin() as db:
        await db.execute(update(OutgoingMail).where(OutgoingMail.id == mail.id).values(sent))
    log.info("mail id=%s sent at try %s", mail.id, mail.tries)


async def _note_failure(mail: OutgoingMail, error: Exception) -> None:
    """When to try again, and why; nothing when meanwhile another process has taken it."""
    problem, is_final = _diagnosis(error)
    wait = None if is_final or mail.tries > len(WAITS) else WAITS[mail.tries - 1]
    failed = {"problem": problem, "next_try_at": None if wait is None else now() + wait}
    ours = (OutgoingMail.id == mail.id, OutgoingMail.tries == mail.tries, *WAITING)
    async with begin() as db:
        await db.execute(update(OutgoingMail).where(*ours).values(failed))
    ending = "given up" if wait is None else f"again in {wait}"
    log.warning("mail id=%s not sent at try %s, %s: %s", mail.id, mail.tries, ending, problem)


def _diagnosis(error: BaseException) -> tuple[str, bool]:
    """What went wrong, without a word of the server's, and whether it will stay so."""
    if isinstance(error, SMTPRecipientsRefused):
        error = error.recipients[0]
    elif isinstance(error.__cause__, SSLError):
        error = error.__cause__
    words = next((words for kind, words in PROBLEMS if isinstance(error, kind)), "")
    if not isinstance(error, SMTPResponseException):
        return words or type(error).__name__, isinstance(error, RecipientBeyondAsciiError)
    status = ENHANCED_STATUS.match(error.message)
    codes = f"{error.code} {status[0]}" if status else str(error.code)
    is_final = isinstance(error, SMTPRecipientRefused | SMTPDataError) and error.code >= 500
    return f"{words}: {codes}", is_final


# Looking after the outbox


async def tidy() -> None:
    """Forget what was sent a week ago, and whatever has lain here for a month."""
    moment = now()
    old = or_(
        OutgoingMail.sent_at <= moment - KEPT_SENT, OutgoingMail.created_at <= moment - KEPT_AT_ALL
    )
    lost = (*WAITING, OutgoingMail.next_try_at <= moment, OutgoingMail.tries > len(WAITS))
    given_up = {"next_try_at": None, "problem": "every attempt was interrupted"}
    async with begin() as db:
        await db.execute(delete(OutgoingMail).where(old))
        await db.execute(update(OutgoingMail).where(*lost).values(given_up))


@dataclass(frozen=True)
class Status:
    waiting: int
    sent: int
    given_up: int
    oldest: datetime | None
    """Since when the message that has waited longest is waiting."""
    problem: str
    """Of the newest message that could not be sent."""


async def status() -> Status:
    columns = (
        func.count().filter(*WAITING),
        func.count().filter(OutgoingMail.sent_at.is_not(None)),
        func.count().filter(*GIVEN_UP),
        func.min(OutgoingMail.created_at).filter(*WAITING),
    )
    failed = (OutgoingMail.sent_at.is_(None), OutgoingMail.problem != "")
    newest = select(OutgoingMail.problem).where(*failed).order_by(OutgoingMail.id.desc()).limit(1)
    async with reading() as db:
        counted = (await db.execute(select(*columns))).one()
        return Status(*counted, problem=await db.scalar(newest) or "")


async def retry() -> int:
    """Make everything that was given up due again, as if it were new; how many that were."""
    due = {"next_try_at": now(), "tries": 0}
    async with begin() as db:
        again = await db.scalars(
            update(OutgoingMail).where(*GIVEN_UP).values(due).returning(OutgoingMail.id)
        )
        return len(again.all())
