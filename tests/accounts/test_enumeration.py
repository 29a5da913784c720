"""A stranger does not find out who has an account here, nor in which state it is.

Seen are status, text, headers, the names in the cookies, and how much was hashed, which is
what takes time; and mail, which goes to the address that was asked for and to nobody else.
(OWASP ASVS 5.0, 6.3.8.)
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from quart import Quart, Response
from quart.testing import QuartClient
from sqlalchemy import delete
from werkzeug.security import generate_password_hash

from sched_async.accounts.two_factor import totp
from sched_async.database import begin
from sched_async.models import Attempt, User
from sched_async.testing import signed_in
from sched_async.times import now

from ..conftest import ALICE_PASSWORD, SECRET_KEY
from ..mailbox import MAIL_URL, mails
from ..pages import Browser, log_in
from .links import cookies_set, counted_hashes, fill_in, looks, settled

LIMIT = 3
PASSWORD = "eleven slow herons at dusk"
STATES: dict[str, dict[str, Any]] = {
    "active": {},
    "administrator": {"is_admin": True},
    "deactivated": {"is_active": False},
    "leaving": {"delete_at": now() + timedelta(days=7)},
    "second-factor": {"totp_secret": totp.encrypt(totp.new_secret(), 1, [SECRET_KEY])},
    "factor-required": {"needs_second_factor": True},
    "original": {"password_hash": generate_password_hash(ALICE_PASSWORD)},
}
"""Of accounts; the last is one whose hash is still the original's."""
UNKNOWN = "unknown"


@pytest.fixture
def settings(settings: dict[str, Any]) -> dict[str, Any]:
    more = {"MAIL_URL": MAIL_URL, "REGISTRATION": "open", "LOGIN_LIMIT_ACCOUNT": LIMIT}
    return settings | more


@pytest.fixture
async def people(app: Quart, alice: User) -> dict[str, str]:
    """An address for each state, and the one that nobody has."""
    addresses = {state: f"{state}@example.org" for state in (*STATES, UNKNOWN)}
    usual = {"name": "Pat", "timezone": "UTC", "password_hash": alice.password_hash}
    async with app.app_context(), begin() as db:
        for state, facts in STATES.items():
            db.add(User(email=addresses[state], **(usual | facts)))
    return addresses


async def sign_in(client: Browser, email: str) -> Response:
    return await log_in(client, email, "not the password", remember="y")


async def forget_password(client: Browser, email: str) -> Response:
    return await fill_in(client, "/password/forgot/", email=email)


async def register(client: Browser, email: str) -> Response:
    form = {"name": "Eve", "timezone": "UTC", "password": PASSWORD, "password_again": PASSWORD}
    return await fill_in(client, "/register/", email=email, **form)


async def change_email(client: Browser, email: str) -> Response:
    return await fill_in(client, "/account/email/", email=email)


Ask = Callable[[Browser, str], Awaitable[Response]]
WITH_A_LINK = set(STATES) - {"deactivated"}
# Each way to ask, whether one is signed in for it, and who gets a message of it.
WAYS: list[tuple[Ask, bool, set[str]]] = [
    (sign_in, False, set()),
    (forget_password, False, WITH_A_LINK),
    (register, False, {*STATES, UNKNOWN}),
    (change_email, True, {*STATES, UNKNOWN}),
]
ways = pytest.mark.parametrize(
    ("ask", "is_signed_in", "told"), WAYS, ids=[ask.__name__ for ask, _, _ in WAYS]
)


async def browser(app: Quart, is_signed_in: bool) -> QuartClient:
    return await signed_in(app, "alice@example.org") if is_signed_in else QuartClient(app)


async def seen(client: QuartClient, email: str, response: Response) -> list[object]:
    """All that there is to see, on the page that follows as well."""
    pages = [response]
    if response.location:
        pages.append(await client.get(response.location))
    found: list[object] = []
    for page in pages:
        status, text, headers = await looks(page)
        found += [status, text.replace(email, ""), headers, cookies_set(page)]
    async with client.session_transaction() as session:
        found.append(sorted(session))
    return found


async def forget_tries(app: Quart) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(delete(Attempt))


@ways
async def test_a_stranger_sees_the_same_whoever_it_is_about(
    app: Quart,
    people: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    ask: Ask,
    is_signed_in: bool,
    told: set[str],
) -> None:
    await sign_in(QuartClient(app), "nobody@example.org")  # makes the hash of nobody, once
    answers = {}
    for state, email in people.items():
        await forget_tries(app)
        client = await browser(app, is_signed_in)
        with counted_hashes(monkeypatch) as hashes:
            answers[state] = await seen(client, email, await ask(client, email)), hashes
            await settled(app)
    for state in people:
        assert answers[state] == answers[UNKNOWN], state
    assert answers[UNKNOWN][0][0] in (200, 303, 401)
    recipients = [mail.recipient for mail in await mails(app)]
    assert sorted(recipients) == sorted(people[state] for state in told)


@ways
async def test_a_stranger_who_goes_on_sees_the_same_at_every_try(
    app: Quart, people: dict[str, str], ask: Ask, is_signed_in: bool, told: set[str]
) -> None:
    """ASVS 6.3.1: an account's limits hold for an address that has none."""
    answers: dict[str, list[list[object]]] = {}
    with time_machine.travel(now(), tick=False):  # for how long one has to wait is seen as well
        for state in ("active", "deactivated", "second-factor", UNKNOWN):
            await forget_tries(app)
            email, answers[state] = people[state], []
            for _ in range(LIMIT + 1):
                client = await browser(app, is_signed_in)
                answers[state].append(await seen(client, email, await ask(client, email)))
                await settled(app)
    for state, found in answers.items():
        assert found == answers[UNKNOWN], state


async def test_mail_for_one_reason_keeps_none_back_that_is_for_another(
    app: Quart, alice: User, mallory: User
) -> None:
    """Else a stranger's registrations would take the owner's way back from them."""
    stranger = await signed_in(app, mallory.email)
    for _ in range(3):
        await register(QuartClient(app), alice.email)
        await stranger.post("/account/email/", form={"email": alice.email})
    await settled(app)
    assert len(await mails(app)) == 6
    await forget_password(QuartClient(app), alice.email)
    await settled(app)
    assert (await mails(app))[-1].subject == "Choose a new password"
