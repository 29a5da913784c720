"""Forgotten password: asking for a link, using it, and everything by which it ends."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import update

from sched_async.accounts.admin.actions import set_password
from sched_async.accounts.password_reset import QUIET
from sched_async.accounts.password_reset import link_for as operators_link
from sched_async.app import create_app
from sched_async.database import begin
from sched_async.errors import RefusedError
from sched_async.models import Activity, KnownBrowser, LoginSession, OneTimeToken, User
from sched_async.security.throttle import MAILS_PER_ACCOUNT, RESETS_PER_ADDRESS
from sched_async.testing import signed_in
from sched_async.times import now

from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..mailbox import MAIL_URL, link_in, mails, path_in
from ..pages import Browser, cookie, csrf_token, hidden_fields, log_in, text
from ..rows import all_rows
from ..tables import each
from .links import (
    age_tokens,
    at_once,
    cookies_set,
    counted_hashes,
    fill_in,
    follow,
    looks,
    settled,
    visit,
)

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL)

NEW = "eleven slow herons at dusk"
FORGOT = "/password/forgot/"
RESET = "/password/reset/"
NOT_VALID = "This link is no longer valid"
ELSEWHERE = "Open the link in this browser"


async def link_for(app: Quart, client: Browser, email: str = "alice@example.org") -> str:
    """Ask for a link; returns the path of the one that is mailed."""
    before = len(await mails(app))
    assert (await fill_in(client, FORGOT, email=email)).status_code == 200
    await settled(app)
    (mail,) = (await mails(app))[before:]
    assert mail.recipient == email
    return path_in(mail)


async def choose(client: Browser, password: str = NEW) -> int:
    """Send the form of the page that a link leads to; returns the status."""
    form = {"password": password, "password_again": password}
    return (await fill_in(client, RESET, **form)).status_code


async def is_over(client: Browser) -> bool:
    """Whether this browser carries no link that would be good for anything."""
    response = await client.get(RESET)
    page = await text(response)
    assert (response.status_code == 404) == (NOT_VALID in page)
    return response.status_code == 404


async def test_a_forgotten_password_is_replaced_by_the_link(
    app: Quart, client: Browser, alice: User
) -> None:
    login_page = await text(await client.get("/login/"))
    assert f'<a href="{FORGOT}">Forgot your password?</a>' in login_page
    page = await follow(client, await link_for(app, client))
    assert page == RESET
    assert "alice@example.org" in await text(await client.get(page))
    response = await fill_in(client, page, password=NEW, password_again=NEW)
    assert (response.status_code, response.location) == (303, "/login/")
    assert "Your password has been changed." in await text(await client.get("/login/"))
    old = await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert old.status_code == 401
    assert (await log_in(client, "alice@example.org", NEW)).status_code == 303


async def test_the_owner_is_told_that_the_password_was_changed(
    app: Quart, client: Browser, alice: User
) -> None:
    await follow(client, await link_for(app, client))
    await choose(client)
    _, notice = await mails(app)
    assert (notice.recipient, notice.subject) == ("alice@example.org", "Your password was changed")
    assert link_in(notice) == "http://localhost/password/forgot/"
    events = [row.event for row in await all_rows(app, Activity)]
    assert events == ["reset_asked", "password_reset"]


async def test_nobody_learns_whether_an_address_is_known(
    app: Quart, alice: User, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 6.3.8: by text, status, headers, cookies and hashes; the mail goes to its owner."""
    async with app.app_context(), begin() as db:
        await db.execute(update(User).where(User.id == mallory.id).values(is_active=False))
    answers, cookies, sent = [], [], []
    with counted_hashes(monkeypatch) as hashes:
        for email in ("alice@example.org", "nobody@example.org", "mallory@example.org"):
            response = await fill_in(app.test_client(), FORGOT, email=email)
            answers.append(await looks(response))
            cookies.append(cookies_set(response))
            await settled(app)
            sent.append(len(await mails(app)))
    assert answers[0][0] == 200
    assert answers[0] == answers[1] == answers[2]
    assert cookies[0] == cookies[1] == cookies[2]
    assert hashes == []
    assert sent == [1, 1, 1]
    assert [mail.recipient for mail in await mails(app)] == ["alice@example.org"]


@pytest.mark.parametrize("email", ["", "not an address", "a@b@c", "alice@example.org\r\nBcc: x@y"])
async def test_what_is_no_address_is_said_to_be_none(
    app: Quart, client: Browser, alice: User, email: str
) -> None:
    response = await fill_in(client, FORGOT, email=email)
    assert response.status_code == 422
    await settled(app)
    assert await mails(app) == []


async def test_the_address_may_be_typed_with_capitals(
    app: Quart, client: Browser, alice: User
) -> None:
    await fill_in(client, FORGOT, email=" Alice@Example.ORG ")
    await settled(app)
    assert len(await mails(app)) == 1


@pytest.mark.parametrize(
    "forged", [{"Host": "127.0.0.1:9999"}, {"X-Forwarded-Host": "evil.example"}]
)
async def test_the_host_in_a_link_is_ours_whatever_the_request_says(
    app: Quart, client: Browser, alice: User, forged: dict[str, str]
) -> None:
    """That Host is accepted, since the app is on loopback here; it still gets nowhere."""
    form = {"email": "alice@example.org", "csrf_token": await csrf_token(client, FORGOT)}
    assert (await client.post(FORGOT, headers=forged, form=form)).status_code == 200
    await settled(app)
    (mail,) = await mails(app)
    assert link_in(mail).startswith("http://localhost/password/reset/")
    for value in forged.values():
        assert value not in mail.text + mail.html


async def test_a_mail_scanner_does_not_use_a_link_up(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.6.2: neither does it get signed in."""
    link = await link_for(app, client)
    for method in ("HEAD", "GET", "GET"):
        scanner = app.test_client()
        page = await follow(scanner, link, method)
        response = await visit(scanner, page, method)
        assert response.status_code == 200
        assert cookie(scanner) is None
    assert await all_rows(app, LoginSession) == []
    await follow(client, link)
    assert await choose(client) == 303


async def test_a_link_works_once(app: Quart, client: Browser, alice: User) -> None:
    link = await link_for(app, client)
    await follow(client, link)
    assert await choose(client) == 303
    assert await is_over(client)
    second = app.test_client()
    await follow(second, link)
    assert await is_over(second)
    assert "It has already been used." in await text(await second.get(RESET))


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_many_who_use_one_link_at_once_one_succeeds(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await link_for(app, client)
    browsers: list[Browser] = [app.test_client() for _ in range(6)]
    for browser in browsers:
        await follow(browser, link)
    tried = [f"{NEW} {index}" for index in range(6)]
    forms = [{"password": password, "password_again": password} for password in tried]
    statuses = await at_once(browsers, RESET, *forms)
    assert sorted(statuses) == [303] + [404] * 5
    good = tried[statuses.index(303)]
    assert (await log_in(client, "alice@example.org", good)).status_code == 303
    assert [row.event for row in await all_rows(app, Activity)].count("password_reset") == 1


async def test_a_link_is_over_after_an_hour(app: Quart, client: Browser, alice: User) -> None:
    link = await link_for(app, client)
    await follow(client, link)
    await age_tokens(app, timedelta(minutes=59))
    assert not await is_over(client)
    await age_tokens(app, timedelta(minutes=1))
    assert await is_over(client)
    page = await text(await client.get(RESET))
    assert "It has expired: it was valid for an hour." in page
    assert f'href="{FORGOT}"' in page, "there is a way to ask again"


async def sign_in(app: Quart) -> None:
    response = await log_in(app.test_client(), "alice@example.org", ALICE_PASSWORD)
    assert response.status_code == 303


async def ask_again(app: Quart) -> None:
    await age_tokens(app, QUIET)
    await link_for(app, app.test_client())


async def change_password(app: Quart) -> None:
    async with app.app_context():
        await set_password("alice@example.org", "a third password, seldom used")


async def change_email(app: Quart) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(email="alice@example.net"))


async def deactivate(app: Quart) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(User).values(is_active=False))


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (sign_in, "Someone has signed in to the account"),
        (ask_again, "A newer link has been sent since."),
        (change_password, "It works once"),
        (change_email, "It works once"),
        (deactivate, "It works once"),
    ],
)
async def test_a_link_dies_with_what_comes_after_it(
    app: Quart, client: Browser, alice: User, event: Any, said: str
) -> None:
    """ASVS 6.4.3: and whoever has the link is told what that was, where that is known."""
    await follow(client, await link_for(app, client))
    assert not await is_over(client)
    await event(app)
    assert await is_over(client)
    assert said in await text(await client.get(RESET))


async def test_five_requests_in_a_minute_send_one_link_which_stays_good(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await link_for(app, client)
    for _ in range(4):
        assert (await fill_in(client, FORGOT, email=alice.email)).status_code == 200
    await settled(app)
    assert len(await mails(app)) == 1
    await follow(client, link)
    assert await choose(client) == 303
    assert await link_for(app, client), "what was asked in vain does not count"


async def test_a_link_of_the_operators_does_not_keep_one_from_being_mailed(
    app: Quart, client: Browser, alice: User
) -> None:
    async with app.app_context():
        await operators_link(alice.email)
    assert await link_for(app, client)


async def test_where_somebody_else_is_signed_in_the_new_password_leads_to_signing_them_out(
    app: Quart, alice: User, mallory: User
) -> None:
    client = await signed_in(app, mallory.email)
    page = await follow(client, await link_for(app, client))
    assert "signed in as mallory@example.org" in re.sub(
        "<[^>]*>", "", await text(await client.get(page))
    )
    response = await fill_in(client, page, password=NEW, password_again=NEW)
    assert (response.status_code, response.location) == (303, "/logout/")
    said = (await text(await client.get("/logout/"))).replace("\u2068", "").replace("\u2069", "")
    assert "The account is alice@example.org" in said
    assert "this browser is signed in as mallory@example.org" in said


async def test_a_link_that_dies_while_its_form_is_filled_in_does_nothing(
    app: Quart, client: Browser, alice: User
) -> None:
    await follow(client, await link_for(app, client))
    form = {"password": NEW, "password_again": NEW}
    form["csrf_token"] = await csrf_token(client, RESET)
    await sign_in(app)
    assert (await client.post(RESET, form=form)).status_code == 404
    assert (await log_in(client, "alice@example.org", ALICE_PASSWORD)).status_code == 303


async def test_a_failed_sign_in_does_not_end_the_link(
    app: Quart, client: Browser, alice: User
) -> None:
    """Else anybody could keep the owner from using it."""
    await follow(client, await link_for(app, client))
    await log_in(app.test_client(), "alice@example.org", "not this one either")
    assert not await is_over(client)


async def test_a_reset_ends_every_session_and_starts_none(
    app: Quart, client: Browser, alice: User, mallory: User
) -> None:
    """ASVS 6.4.3: nor is any device known, or trusted, any more."""
    hers = [await signed_in(app, "alice@example.org") for _ in range(2)]
    others = await signed_in(app, "mallory@example.org")
    async with app.app_context(), begin() as db:
        for owner in (alice, mallory):
            trusted = {"token_hash": "0" * 64, "trusted_until": now() + timedelta(days=30)}
            db.add(KnownBrowser(user_id=owner.id, **trusted))
    link = await link_for(app, client)
    await follow(hers[0], link)
    assert await choose(hers[0]) == 303
    assert cookie(client) is None
    for browser in hers:
        assert (await browser.get("/appointments/")).status_code == 303
    assert (await others.get("/appointments/")).status_code == 200
    (still,) = await all_rows(app, KnownBrowser)
    assert (still.user_id, still.trusted_until is not None) == (mallory.id, True)


@pytest.mark.parametrize(
    ("password", "again", "message"),
    [
        ("short", "short", "Use at least 12 characters."),
        (NEW, NEW + "x", "The passwords don't match."),
        ("Alice@Example1", "Alice@Example1", "This is too similar to your name"),
        ("password1234", "password1234", "Choose another."),
    ],
)
async def test_a_password_that_will_not_do_leaves_the_link_as_it_was(
    app: Quart, client: Browser, alice: User, password: str, again: str, message: str
) -> None:
    await follow(client, await link_for(app, client))
    response = await fill_in(client, RESET, password=password, password_again=again)
    assert response.status_code == 422
    page = await text(response)
    assert message in page
    assert f'value="{password}"' not in page
    assert await choose(client) == 303


@pytest.mark.parametrize("extra", ["email", "user_id", "is_admin"])
async def test_the_form_takes_nothing_but_a_password(
    app: Quart, client: Browser, alice: User, extra: str
) -> None:
    await follow(client, await link_for(app, client))
    form = {"password": NEW, "password_again": NEW, extra: "1"}
    assert (await fill_in(client, RESET, **form)).status_code == 422


async def test_a_link_of_one_person_is_worth_nothing_for_another(
    app: Quart, client: Browser, alice: User, mallory: User
) -> None:
    await follow(client, await link_for(app, client, "mallory@example.org"))
    assert await choose(client) == 303
    assert (await log_in(client, "alice@example.org", ALICE_PASSWORD)).status_code == 303
    other = app.test_client()
    assert (await log_in(other, "mallory@example.org", MALLORY_PASSWORD)).status_code == 401


@each("token", ["made-up", "A" * 43, "%F0%9F%99%82", "x" * 500, "..."])
async def test_a_made_up_link_leads_to_a_page_that_says_so(client: Browser, token: str) -> None:
    response = await client.get(f"{RESET}{token}/")
    assert (response.status_code, response.location) == (303, RESET)
    assert len(cookie(client, "sched_session") or "") < 300
    assert await is_over(client)


async def test_the_link_of_another_purpose_resets_nothing(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await link_for(app, client)
    async with app.app_context(), begin() as db:
        await db.execute(update(OneTimeToken).values(purpose="invite"))
    await follow(client, link)
    assert await is_over(client)


async def test_without_a_link_the_page_says_to_open_it_in_this_browser(
    app: Quart, client: Browser, alice: User
) -> None:
    """It was opened in a mail app, and the page then in a browser: the link is as good as ever."""
    link = await link_for(app, app.test_client())
    await follow(app.test_client(), link)
    response = await client.get(RESET)
    assert response.status_code == 404
    page = await text(response)
    assert ELSEWHERE in page
    assert NOT_VALID not in page
    await follow(client, link)
    assert await choose(client) == 303


async def test_only_a_hash_of_the_token_is_kept(app: Quart, client: Browser, alice: User) -> None:
    link = await link_for(app, client)
    token = link.rstrip("/").rpartition("/")[2]
    assert len(token) == 43
    (row,) = await all_rows(app, OneTimeToken)
    assert token not in f"{row.token_hash} {row.email} {row.data}"
    assert alice.password_hash not in str(row.data)


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_reset_and_a_sign_in_at_once_leave_one_password_and_no_link(
    app: Quart, client: Browser, alice: User
) -> None:
    """Whichever comes first: a reset ends the session, or the sign-in ends the link."""
    await follow(client, await link_for(app, client))
    other = app.test_client()
    form = {"password": NEW, "password_again": NEW, "csrf_token": await csrf_token(client, RESET)}
    answer, login = await asyncio.gather(
        client.post(RESET, form=form), log_in(other, "alice@example.org", ALICE_PASSWORD)
    )
    reset = answer.status_code
    assert reset in (303, 404)
    assert await is_over(client)
    stays = (await other.get("/appointments/")).status_code == 200
    assert stays == (reset == 404)
    assert login.status_code == 303 or reset == 303
    good = NEW if reset == 303 else ALICE_PASSWORD
    assert (await log_in(app.test_client(), "alice@example.org", good)).status_code == 303


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_link_holds_in_another_process(
    app: Quart, settings: dict[str, Any], client: Browser, alice: User
) -> None:
    """Two of the app on one PostgreSQL: made by one, used up by the other."""
    if settings["DATABASE_URL"].startswith("sqlite"):
        pytest.skip("SQLite has one process")
    link = await link_for(app, client)
    other = create_app(settings)
    async with other.test_app():
        browsers: list[Browser] = [app.test_client(), other.test_client()]
        for browser in browsers:
            await follow(browser, link)
        form = {"password": NEW, "password_again": NEW}
        assert sorted(await at_once(browsers, RESET, form, form)) == [303, 404]


async def test_without_mail_the_page_says_whom_to_ask(
    settings: dict[str, Any],
) -> None:
    app = create_app(settings | {"MAIL_URL": None})
    async with app.test_app():
        page = await text(await app.test_client().get(FORGOT))
    assert "Ask its operator" in page
    assert 'name="email"' not in page


async def test_too_many_requests_from_one_address_are_refused(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 6.3.1: known and unknown addresses count alike."""
    form = {"csrf_token": await csrf_token(client, FORGOT)}
    emails = [f"nobody{index}@example.org" for index in range(RESETS_PER_ADDRESS)]
    for email in emails:
        assert (await client.post(FORGOT, form=form | {"email": email})).status_code == 200
    for email in ("alice@example.org", "nobody@example.org"):
        response = await client.post(FORGOT, form=form | {"email": email})
        assert response.status_code == 429
        assert 0 < int(response.headers["Retry-After"]) <= 3600
    await settled(app)
    assert await mails(app) == []


async def test_nobody_can_fill_the_mailbox_of_another(app: Quart, alice: User) -> None:
    """Beyond the limit the page stays the same, since it tells nothing about the address."""
    answers = []
    for index in range(MAILS_PER_ACCOUNT + 2):
        browser = app.test_client()
        answers.append(await looks(await fill_in(browser, FORGOT, email="alice@example.org")))
        await settled(app)
        assert len(await mails(app)) == min(index + 1, MAILS_PER_ACCOUNT)
        await age_tokens(app, QUIET)
    assert all(answer == answers[0] for answer in answers)


async def test_a_deactivated_person_gets_no_link_from_the_operator(app: Quart, alice: User) -> None:
    await deactivate(app)
    async with app.app_context():
        with pytest.raises(RefusedError, match="is deactivated"):
            await operators_link("alice@example.org")
    assert await all_rows(app, OneTimeToken) == []


async def test_a_form_changes_the_password_of_whom_it_names(
    app: Quart, client: Browser, alice: User, mallory: User
) -> None:
    """Two links are opened in one browser, and then the form of the first is sent."""
    links = [await link_for(app, client, user.email) for user in (alice, mallory)]
    pages = []
    for link in links:
        pages.append(await hidden_fields(await client.get(await follow(client, link))))
    new = {"password": NEW, "password_again": "not the same"}
    refused = await client.post(RESET, form=pages[0] | new)
    assert refused.status_code == 422
    again = await hidden_fields(refused)
    assert again["link"] == pages[0]["link"]
    new["password_again"] = NEW
    assert (await client.post(RESET, form=again | new)).status_code == 303
    assert (await log_in(app.test_client(), mallory.email, MALLORY_PASSWORD)).status_code == 303
    assert (await log_in(app.test_client(), alice.email, NEW)).status_code == 303
