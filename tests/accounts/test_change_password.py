"""Changing one's password: what it takes, and what ends with the old one."""

import asyncio
from threading import Semaphore

import pytest
from quart import Quart

from sched_async.accounts.password_reset import link_for
from sched_async.accounts.renewals import RENEWED
from sched_async.accounts.tokens import hash_token
from sched_async.models import Attempt, KnownBrowser, OneTimeToken, User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..mailbox import MAIL_URL, mails
from ..pages import Browser, asks_to_confirm, cookie, csrf_token, is_signed_in, log_in, text
from ..rows import activities, all_rows
from ..tables import each
from .links import counted_hashes
from .logins import age_proof, login_rows

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL)

PASSWORD = "/account/password/"
NEW = "eleven slow herons at dusk"
FORM = {"current_password": ALICE_PASSWORD, "password": NEW, "password_again": NEW}


async def works(app: Quart, password: str) -> bool:
    response = await log_in(app.test_client(), "alice@example.org", password)
    return response.status_code == 303


async def test_the_new_password_works_and_the_old_one_does_not(app: Quart, hers: Client) -> None:
    response = await hers.post(PASSWORD, form=FORM)
    assert (response.status_code, response.location) == (303, PASSWORD)
    assert "Your password has been changed." in await text(await hers.get(PASSWORD))
    assert not await works(app, ALICE_PASSWORD)
    assert await works(app, NEW)


async def test_its_fields_are_those_of_a_password_manager(hers: Client) -> None:
    """ASVS 6.2.6 and 6.2.7."""
    page = await text(await hers.get(PASSWORD))
    assert page.count('type="password"') == 3
    assert page.count('autocomplete="current-password"') == 1
    assert page.count('autocomplete="new-password"') == 2
    assert "onpaste" not in page


@pytest.mark.parametrize(
    ("current", "status"),
    [
        ("", 422),
        ("nine teal kayaks under plastic", 401),
        (ALICE_PASSWORD.upper(), 401),
        (f"{ALICE_PASSWORD} ", 401),
        (MALLORY_PASSWORD, 401),
        ("x" * 1025, 422),
    ],
)
async def test_it_takes_the_current_password(
    app: Quart, hers: Client, mallory: User, current: str, status: int
) -> None:
    """ASVS 6.2.2 and 6.2.3."""
    response = await hers.post(PASSWORD, form=FORM | {"current_password": current})
    assert response.status_code == status
    page = await text(response)
    assert 'id="current_password-problem"' in page
    assert NEW not in page
    assert await works(app, ALICE_PASSWORD)
    assert await mails(app) == []


async def test_it_takes_the_current_password_to_be_sent_at_all(app: Quart, hers: Client) -> None:
    """ASVS 6.2.3."""
    response = await hers.post(PASSWORD, form={"password": NEW, "password_again": NEW})
    assert response.status_code == 422
    assert await works(app, ALICE_PASSWORD)


@each(
    ("new", "again"),
    [
        ("", ""),
        ("short", "short"),
        ("password1234", "password1234"),
        ("alice@example.org", "alice@example.org"),
        ("x" * 1025, "x" * 1025),
        (NEW, f"{NEW}!"),
        (NEW, ""),
        (ALICE_PASSWORD, ALICE_PASSWORD),
    ],
)
async def test_a_new_password_that_will_not_do_is_refused(
    app: Quart, hers: Client, new: str, again: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with counted_hashes(monkeypatch) as done:
        response = await hers.post(PASSWORD, form=FORM | {"password": new, "password_again": again})
    assert response.status_code == 422
    assert done == []
    assert await works(app, ALICE_PASSWORD)


@pytest.mark.parametrize("new", ["x y" * 341 + "z", "    four spaces, then words"])
async def test_long_and_odd_passwords_are_taken_as_they_are(
    app: Quart, hers: Client, new: str
) -> None:
    """ASVS 6.2.5, 6.2.8 and 6.2.9."""
    form = FORM | {"password": new, "password_again": new}
    assert (await hers.post(PASSWORD, form=form)).status_code == 303
    assert await works(app, new)
    assert not await works(app, new.strip(" z"))


async def test_everybody_else_is_signed_out_and_this_browser_has_a_new_token(
    app: Quart, alice: User, hers: Client, mallory: User
) -> None:
    """ASVS 7.2.4 and 7.4.3."""
    there, copy, stranger = app.test_client(), Client(app), app.test_client()
    await log_in(there, "alice@example.org", ALICE_PASSWORD)
    await log_in(stranger, "mallory@example.org", MALLORY_PASSWORD)
    old = cookie(hers)
    assert old
    copy.set_cookie("localhost", "sched_login", old)
    (row, _) = await login_rows(app, alice.id)
    assert [await is_signed_in(browser) for browser in (hers, there, copy)] == [True] * 3
    await hers.post(PASSWORD, form=FORM)
    assert cookie(hers) != old
    assert [await is_signed_in(browser) for browser in (hers, there, copy)] == [True, False, False]
    assert await is_signed_in(stranger)
    (left,) = await login_rows(app, alice.id)
    assert (left.id, left.expires_at) == (row.id, row.expires_at), "the session itself goes on"


async def test_links_that_are_under_way_die(app: Quart, hers: Client, client: Browser) -> None:
    """ASVS 6.4.3."""
    async with app.app_context():
        link = (await link_for("alice@example.org")).removeprefix("http://localhost")
    await hers.post("/account/email/", form={"email": "alice@example.net"})
    assert len(await all_rows(app, OneTimeToken)) == 2
    await hers.post(PASSWORD, form=FORM)
    left = [row.purpose for row in await all_rows(app, OneTimeToken)]
    assert left == [RENEWED], "which is of the session's old token, and opens nothing"
    assert (await client.get(link)).status_code == 303
    assert (await client.get("/password/reset/")).status_code == 404


async def test_the_owner_is_told_once(app: Quart, hers: Client, alice: User) -> None:
    """ASVS 6.3.5."""
    await hers.post(PASSWORD, form=FORM)
    (mail,) = await mails(app)
    assert (mail.recipient, mail.subject) == ("alice@example.org", "Your password was changed")
    for part in (mail.text, mail.html):
        assert "http://localhost/password/forgot/" in part
        assert NEW not in part
    assert await activities(app, alice.id) == ["password_changed"]


async def test_after_ten_minutes_one_has_to_prove_oneself_first(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.5.1."""
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    token = await csrf_token(client, PASSWORD)
    await age_proof(app)
    for response in (
        await client.get(PASSWORD),
        await client.post(PASSWORD, form=FORM | {"csrf_token": token}),
    ):
        assert await asks_to_confirm(response, PASSWORD)
        assert NEW.split()[0] not in await text(response)
    assert await works(app, ALICE_PASSWORD)


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_two_changes_at_once_one_wins(app: Quart, hers: Client, alice: User) -> None:
    there = await signed_in(app, "alice@example.org")
    other = "twelve quick herons at dawn"
    forms = [FORM, FORM | {"password": other, "password_again": other}]
    answers = await asyncio.gather(
        *(
            client.post(PASSWORD, form=form)
            for client, form in zip((hers, there), forms, strict=True)
        )
    )
    won = [answer.location == PASSWORD for answer in answers]
    assert sorted(won) == [False, True]
    assert [await works(app, NEW), await works(app, other)] == won
    assert len([event for event in await activities(app, alice.id) if "changed" in event]) == 1
    assert len(await mails(app)) == 1


async def test_guesses_at_the_current_password_are_limited(
    app: Quart, hers: Client, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 6.3.1."""
    app.config["LOGIN_LIMIT_ACCOUNT"] = 3
    for _ in range(3):
        response = await hers.post(PASSWORD, form=FORM | {"current_password": "not the right one"})
        assert response.status_code == 401
    with counted_hashes(monkeypatch) as done:
        response = await hers.post(PASSWORD, form=FORM)
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert done == []
    assert await activities(app, alice.id) == ["confirm_failed"] * 3


async def test_the_right_password_is_no_guess(app: Quart, hers: Client) -> None:
    assert (await hers.post(PASSWORD, form=FORM)).status_code == 303
    assert await all_rows(app, Attempt) == []


async def test_the_right_password_is_no_guess_if_there_is_no_room_to_hash_the_new_one(
    app: Quart, hers: Client
) -> None:
    pool = app.extensions["hashing"]
    pool.places = Semaphore(1)
    pool.places.release = lambda: None  # room for one, ever
    assert (await hers.post(PASSWORD, form=FORM)).status_code == 503
    assert await all_rows(app, Attempt) == []
    pool.places = Semaphore(9)
    assert await works(app, ALICE_PASSWORD)


@pytest.mark.parametrize("field", ["user_id", "email", "username"])
async def test_nobody_can_name_another_account(
    app: Quart, alice: User, mallory: User, field: str
) -> None:
    """ASVS 8.2.2 and 8.2.3."""
    client = await signed_in(app, "mallory@example.org")
    form = FORM | {"current_password": MALLORY_PASSWORD, field: "alice@example.org"}
    assert (await client.post(PASSWORD, form=form)).status_code == 422
    assert await works(app, ALICE_PASSWORD)


async def test_only_this_browser_stays_known(app: Quart, client: Browser, alice: User) -> None:
    """A browser that is known has tries of its own, which nobody else should keep."""
    for browser in (app.test_client(), client):
        await log_in(browser, "alice@example.org", ALICE_PASSWORD)
    here = cookie(client, "sched_device")
    token = await csrf_token(client, PASSWORD)
    response = await client.post(PASSWORD, form=FORM | {"csrf_token": token})
    assert response.status_code == 303
    (left,) = await all_rows(app, KnownBrowser)
    assert here
    assert left.token_hash == hash_token(here)
