"""Limits on tries: at passwords and codes, and at having mail sent.

A try is a row for each thing that it counts for, so tries add up over nodes.  It is
counted before any password is hashed, and taken back when it was right, so that of many
made at once none slips through.  Until then it is pending: whoever only such tries keep out
need not wait for longer than judging takes.  What counts is kept as a keyed hash: the
table names neither people nor addresses.

A stranger's sign-in counts for the account at that network address, for the address, and
for everyone.  In a browser where that person has signed in before it counts for that
browser alone, so nobody can lock an owner out.  (OWASP ASVS 5.0, 6.1.1, 6.3.1, 6.6.3.)
"""

import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from quart import Quart, current_app, request
from sqlalchemy import (
    ColumnElement,
    CursorResult,
    ScalarSelect,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from ..database import begin, reading
from ..errors import TooManyAttemptsError
from ..jobs import add_job
from ..models import Attempt
from ..times import now

HOUR = timedelta(hours=1)
SPAN = timedelta(minutes=15)
SIGN_INS_FROM_EVERYWHERE = 600
CODES_PER_ACCOUNT = 10
RECOVERY_PER_ACCOUNT = 30
RESETS_PER_ADDRESS = 10
REGISTRATIONS_PER_ADDRESS = 10
MAILS_PER_ACCOUNT = 3
FORGET_EVERY = timedelta(minutes=5)
AT_ONCE = 1000  # rows
MOMENT = timedelta(seconds=1)
JUDGED_WITHIN = timedelta(minutes=1)  # or else a crash has left it pending
AHEAD = timedelta(minutes=1)  # the clocks of nodes may differ; what is later counts for nothing

Tries = Sequence[int]


@dataclass(frozen=True)
class Limit:
    """At most so many tries within a span of time, for what the key stands for.

    Where it is not ``exact``, tries do not wait for each other: of those made at once a few
    too many may be let in, at most one for each connection to the database.
    """

    key: str
    most: int
    span: timedelta
    exact: bool = True


def init_app(app: Quart) -> None:
    add_job(app, forget_old, FORGET_EVERY)


# What is limited


def sign_in(email: str, device: str | None) -> list[Limit]:
    """``device`` names a browser in which this account has signed in before."""
    config = current_app.config
    address = _address()
    if device is not None:
        key = _key("sign-in", email, "device", device)
        return [Limit(key, config["LOGIN_LIMIT_ACCOUNT"], SPAN)]
    key = _key("sign-in", email, "address", address)
    return [
        Limit(key, config["LOGIN_LIMIT_ACCOUNT"], SPAN),
        Limit(_key("sign-in", "address", address), config["LOGIN_LIMIT_ADDRESS"], SPAN),
        Limit(_key("sign-in", "all"), SIGN_INS_FROM_EVERYWHERE, SPAN, exact=False),
    ]


def code(user_id: int, device: str | None) -> list[Limit]:
    """Two-factor codes; those from all unknown browsers count together."""
    return [Limit(_key("code", user_id, device), CODES_PER_ACCOUNT, SPAN)]


def recovery_code(user_id: int, device: str | None) -> list[Limit]:
    """Nobody guesses one; this bounds the work, apart from codes, so that one way in is left."""
    return [Limit(_key("recovery-code", user_id, device), RECOVERY_PER_ACCOUNT, SPAN)]


def reset_request() -> list[Limit]:
    return [Limit(_key("reset", _address()), RESETS_PER_ADDRESS, HOUR)]


def registration() -> list[Limit]:
    return [Limit(_key("registration", _address()), REGISTRATIONS_PER_ADDRESS, HOUR)]


def mail_to(purpose: str, email: str) -> list[Limit]:
    """Email that anyone can cause to be sent to someone else.

    Each purpose counts by itself, so that no mail keeps back what its owner has asked for.
    """
    return [Limit(_key("mail", purpose, email), MAILS_PER_ACCOUNT, HOUR)]


def new_email(user_id: int) -> list[Limit]:
    """Email that a person can cause to be sent to an address that may become theirs."""
    return [Limit(_key("new-email", user_id), MAILS_PER_ACCOUNT, HOUR)]


def _address() -> str:
    """Where the request comes from; of IPv6 the network, which one person has whole.

    It is the peer's address, or what trusted proxies say of theirs; all who have none
    that can be read, as through a socket in the file system, are one.
    """
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        mapped = address.ipv4_mapped
        return address.packed[:8].hex() if mapped is None else str(mapped)
    return str(address)


def _key(*what: str | int | None) -> str:
    secret = str(current_app.secret_key).encode()
    return hmac.new(secret, json.dumps(["throttle", *what]).encode(), "sha256").hexdigest()


# Letting in


async def admit(limits: Sequence[Limit], *, is_pending: bool = False) -> Tries:
    """Count a try under every limit; when one is reached, TooManyAttemptsError and count none.

    It commits by itself, so ``db`` may not have been used before.  A pending one is to be
    judged: by ``take_back`` when it was right, else by ``keep``.
    """
    async with reading() as work:  # a flood of tries must not keep writers waiting
        await _check(work, limits)
    async with begin() as work:
        await _wait_for_turn(work, limits)
        await _check(work, limits)
        rows = [{"key": limit.key, "is_pending": is_pending} for limit in limits]
        return (await work.scalars(insert(Attempt).returning(Attempt.id), rows)).all()


async def is_admitted(limits: Sequence[Limit]) -> bool:
    """The same where nobody may notice."""
    try:
        await admit(limits)
    except TooManyAttemptsError:
        return False
    return True


async def take_back(work: AsyncSession, tries: Tries) -> None:
    """What was tried turned out right; the caller commits."""
    await work.execute(delete(Attempt).where(Attempt.id.in_(tries)))


async def keep(work: AsyncSession, tries: Tries) -> None:
    """What was tried turned out wrong; the caller commits."""
    await work.execute(update(Attempt).where(Attempt.id.in_(tries)).values(is_pending=False))


async def _wait_for_turn(work: AsyncSession, limits: Iterable[Limit]) -> None:
    """Others counting the same wait until this commits; in SQLite every writer does."""
    if work.get_bind().dialect.name != "postgresql":
        return
    keys = sorted(limit.key for limit in limits if limit.exact)
    numbers = (int.from_bytes(bytes.fromhex(key[:16]), signed=True) for key in keys)
    await work.execute(select(*map(func.pg_advisory_xact_lock, numbers)))


async def _check(work: AsyncSession, limits: Sequence[Limit]) -> None:
    moment = now()
    reached = await _filling(work, limits, moment)
    full = [limit for limit, made_at in zip(limits, reached, strict=True) if made_at is not None]
    if not full:
        return
    judged = await _filling(work, full, moment, _is_judged(moment))
    ends = zip(full, judged, strict=True)
    raise TooManyAttemptsError(max(_wait(limit, made_at, moment) for limit, made_at in ends))


def _wait(limit: Limit, made_at: datetime | None, moment: datetime) -> timedelta:
    """Where what is judged leaves room, it is known in a moment whether there is any."""
    return MOMENT if made_at is None else min(made_at + limit.span - moment, limit.span)


def _is_judged(moment: datetime) -> ColumnElement[bool]:
    return ~Attempt.is_pending | (Attempt.made_at <= moment - JUDGED_WITHIN)


async def _filling(
    work: AsyncSession, limits: Iterable[Limit], moment: datetime, *more: ColumnElement[bool]
) -> Sequence[datetime | None]:
    """When each try was made that reaches a limit: with its end there is room again."""
    columns = (_filling_one(limit, moment, *more) for limit in limits)
    return (await work.execute(select(*columns))).one()


def _filling_one(
    limit: Limit, moment: datetime, *more: ColumnElement[bool]
) -> ScalarSelect[datetime]:
    counted = (
        Attempt.key == limit.key,
        Attempt.made_at > moment - limit.span,
        Attempt.made_at <= moment + AHEAD,
    )
    newest_first = select(Attempt.made_at).where(*counted, *more).order_by(Attempt.made_at.desc())
    return newest_first.offset(limit.most - 1).limit(1).scalar_subquery()


# Forgetting


async def forget_old() -> None:
    """Delete attempts that no longer count, a few at a time, because others write too."""
    over = select(Attempt.id).where(Attempt.made_at <= now() - HOUR).limit(AT_ONCE)
    deleted = AT_ONCE
    while deleted == AT_ONCE:
        async with begin() as work:
            result = await work.execute(delete(Attempt).where(Attempt.id.in_(over)))
            deleted = cast(CursorResult[Any], result).rowcount
