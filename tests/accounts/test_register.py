"""Open registration: the address is proven before there is an account."""

from datetime import timedelta

import pytest
from quart import Quart
from sqlalchemy import update

from sched_async.accounts.registration.invitations import invite
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.config import SettingError
from sched_async.database import begin
from sched_async.models import Activity, LoginSession, OneTimeToken, User
from sched_async.security.throttle import REGISTRATIONS_PER_ADDRESS

from ..conftest import ALICE_PASSWORD
from ..mailbox import MAIL_URL, link_in, mails, path_in
from ..pages import Browser, cookie, csrf_token, hidden_fields, log_in, text
from ..rows import all_rows
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

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL, REGISTRATION="open")

PASSWORD = "seven quiet otters upstream"
BOB = {
    "name": "Bob",
    "email": "bob@example.org",
    "timezone": "Europe/Paris",
    "password": PASSWORD,
    "password_again": PASSWORD,
}
REGISTER = "/register/"
CONFIRM = "/register/confirm/"
NOT_VALID = "This link is no longer valid"


async def link_for(app: Quart, client: Browser, **changed: str) -> str:
    """Fill in the form; returns the path of the link that is mailed."""
    before = len(await mails(app))
    assert (await fill_in(client, REGISTER, **BOB | changed)).status_code == 200
    await settled(app)
    (mail,) = (await mails(app))[before:]
    return path_in(mail)


async def confirm(client: Browser) -> int:
    return (await fill_in(client, CONFIRM)).status_code


async def users(app: Quart) -> dict[str, User]:
    return {user.email: user for user in await all_rows(app, User)}


async def is_over(client: Browser) -> bool:
    response = await client.get(CONFIRM)
    assert (response.status_code == 404) == (NOT_VALID in await text(response))
    return response.status_code == 404


async def test_an_account_is_made_when_its_address_is_proven(
    app: Quart, client: Browser, alice: User
) -> None:
    assert f'<a href="{REGISTER}">' in await text(await client.get("/login/"))
    link = await link_for(app, client)
    assert list(await users(app)) == ["alice@example.org"]
    assert (await log_in(client, "bob@example.org", PASSWORD)).status_code == 401
    page = await follow(client, link)
    assert page == CONFIRM
    shown = await text(await client.get(page))
    assert "bob@example.org" in shown
    assert "Bob" in shown
    response = await fill_in(client, page)
    assert (response.status_code, response.location) == (303, "/login/")
    assert await all_rows(app, LoginSession) == [], "nobody is signed in by it"
    assert (await log_in(client, "bob@example.org", PASSWORD)).status_code == 303
    bob = (await users(app))["bob@example.org"]
    assert (bob.name, bob.timezone, bob.is_active, bob.is_admin) == (
        "Bob",
        "Europe/Paris",
        True,
        False,
    )
    events = {(row.user_id, row.event) for row in await all_rows(app, Activity)}
    assert (bob.id, "registered") in events


async def test_nobody_learns_whether_an_address_is_known(
    app: Quart, alice: User, mallory: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 6.3.8: one hash, one message and one page for each, also where it is deactivated."""
    async with app.app_context(), begin() as db:
        await db.execute(update(User).where(User.id == mallory.id).values(is_active=False))
    answers, cookies, costs = [], [], []
    emails = ("bob@example.org", "alice@example.org", "mallory@example.org")
    for email in emails:
        with counted_hashes(monkeypatch) as hashes:
            response = await fill_in(app.test_client(), REGISTER, **BOB | {"email": email})
            await settled(app)
        answers.append(await looks(response))
        cookies.append(cookies_set(response))
        costs.append(hashes)
    assert answers[0][0] == 200
    assert answers[0] == answers[1] == answers[2]
    assert cookies[0] == cookies[1] == cookies[2]
    assert costs == [["hash"]] * 3
    assert [mail.recipient for mail in await mails(app)] == list(emails)


@pytest.mark.parametrize("email", ["bob@example.org", "alice@example.org"])
async def test_a_form_that_will_not_do_gets_the_same_answer_too(
    app: Quart, client: Browser, alice: User, email: str
) -> None:
    form = BOB | {"email": email, "password": "short", "password_again": "short"}
    response = await fill_in(client, REGISTER, **form)
    assert response.status_code == 422
    page = await text(response)
    assert "Use at least 12 characters." in page
    assert "already" not in page
    await settled(app)
    assert await mails(app) == []


async def test_whoever_has_an_account_is_told_so_by_mail_alone(
    app: Quart, client: Browser, alice: User
) -> None:
    await fill_in(client, REGISTER, **BOB | {"email": "Alice@example.org"})
    await settled(app)
    (mail,) = await mails(app)
    assert mail.subject == "You already have an account"
    assert link_in(mail) == "http://localhost/password/forgot/"
    assert await all_rows(app, OneTimeToken) == []
    assert (await log_in(client, "alice@example.org", ALICE_PASSWORD)).status_code == 303


async def test_the_message_holds_nothing_that_a_stranger_typed(
    app: Quart, client: Browser, alice: User
) -> None:
    await link_for(app, client, name="Win a prize at evil.example")
    (mail,) = await mails(app)
    assert "evil.example" not in mail.subject + mail.text + mail.html


async def test_a_mail_scanner_makes_no_account(app: Quart, client: Browser, alice: User) -> None:
    """ASVS 7.6.2."""
    link = await link_for(app, client)
    for method in ("HEAD", "GET"):
        scanner = app.test_client()
        response = await visit(scanner, await follow(scanner, link, method), method)
        assert response.status_code == 200
        assert cookie(scanner) is None
    assert list(await users(app)) == ["alice@example.org"]
    await follow(client, link)
    assert await confirm(client) == 303


async def test_a_link_works_once(app: Quart, client: Browser, alice: User) -> None:
    """ASVS 6.4.1."""
    link = await link_for(app, client)
    await follow(client, link)
    assert await confirm(client) == 303
    await follow(client, link)
    assert await is_over(client)


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_many_who_use_one_link_at_once_one_succeeds(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await link_for(app, client)
    browsers: list[Browser] = [app.test_client() for _ in range(6)]
    for browser in browsers:
        await follow(browser, link)
    statuses = await at_once(browsers, CONFIRM, *[{}] * 6)
    assert sorted(statuses) == [303] + [404] * 5
    assert len(await users(app)) == 2


async def test_of_several_links_for_one_address_the_first_that_is_used_counts(
    app: Quart, client: Browser, alice: User
) -> None:
    """A stranger who asks again later cannot put their password in the place of the owner's."""
    owners = await link_for(app, client)
    strangers = await link_for(app, app.test_client(), name="Mallory")
    await follow(client, owners)
    other = app.test_client()
    await follow(other, strangers)
    assert await confirm(client) == 303
    assert await is_over(other)
    assert (await users(app))["bob@example.org"].name == "Bob"


@pytest.mark.databases("sqlite", "postgresql")
async def test_two_links_for_one_address_at_once_make_one_account(
    app: Quart, client: Browser, alice: User
) -> None:
    browsers: list[Browser] = [app.test_client() for _ in range(2)]
    for browser in browsers:
        await follow(browser, await link_for(app, client))
    assert sorted(await at_once(browsers, CONFIRM, {}, {})) == [303, 404]
    assert len(await users(app)) == 2


async def test_a_link_is_over_after_a_day(app: Quart, client: Browser, alice: User) -> None:
    await follow(client, await link_for(app, client))
    await age_tokens(app, timedelta(hours=24, minutes=-1))
    assert not await is_over(client)
    await age_tokens(app, timedelta(minutes=1))
    assert await is_over(client)
    assert f'href="{REGISTER}"' in await text(await client.get(CONFIRM))


async def test_only_a_hash_of_the_password_waits_for_the_proof(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await link_for(app, client)
    (row,) = await all_rows(app, OneTimeToken)
    assert row.data["password_hash"].startswith("$argon2id$")
    assert PASSWORD not in str(row.data)
    assert link.rstrip("/").rpartition("/")[2] not in f"{row.token_hash} {row.data}"


@pytest.mark.parametrize("extra", [{"is_admin": "1"}, {"is_active": ""}, {"id": "1"}])
async def test_the_form_has_no_more_fields_than_it_shows(
    app: Quart, client: Browser, alice: User, extra: dict[str, str]
) -> None:
    assert (await fill_in(client, REGISTER, **BOB | extra)).status_code == 422
    await settled(app)
    assert await mails(app) == []


async def test_an_invitation_makes_an_account_at_once_here_too(
    app: Quart, client: Browser, alice: User
) -> None:
    async with app.app_context(), begin() as db:
        link = await invite(db, "bob@example.org")
    await follow(client, link.removeprefix("http://localhost"))
    form = {name: value for name, value in BOB.items() if name != "email"}
    assert (await fill_in(client, REGISTER, **form)).status_code == 303
    assert "bob@example.org" in await users(app)


async def test_a_stranger_cannot_be_the_first(app: Quart, client: Browser) -> None:
    """The first account is an administrator's, made by the link that is printed at start."""
    assert (await client.get(REGISTER)).status_code == 404
    form = BOB | {"csrf_token": await csrf_token(client)}
    assert (await client.post(REGISTER, form=form)).status_code == 404
    await settled(app)
    assert await mails(app) == []


@pytest.mark.parametrize("registration", ["closed", "invite"])
async def test_where_it_is_not_open_there_is_no_page(
    app: Quart, client: Browser, alice: User, registration: str
) -> None:
    """Nor do links count any more that were mailed while it was."""
    link = await link_for(app, client)
    app.config["REGISTRATION"] = registration
    assert (await client.get(REGISTER)).status_code == 404
    form = BOB | {"csrf_token": await csrf_token(client)}
    assert (await client.post(REGISTER, form=form)).status_code == 404
    await follow(client, link)
    assert await is_over(client)
    assert (await client.post(CONFIRM, form=form)).status_code == 404
    assert list(await users(app)) == ["alice@example.org"]
    assert REGISTER not in await text(await client.get("/login/"))


async def test_too_many_registrations_from_one_address_are_refused_before_hashing(
    app: Quart, client: Browser, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 6.3.1."""
    form = BOB | {"csrf_token": await csrf_token(client, REGISTER)}
    for index in range(REGISTRATIONS_PER_ADDRESS):
        response = await client.post(REGISTER, form=form | {"email": f"b{index}@example.org"})
        assert response.status_code == 200
    await settled(app)
    with counted_hashes(monkeypatch) as hashes:
        for email in ("bob@example.org", "alice@example.org"):
            response = await client.post(REGISTER, form=form | {"email": email})
            assert response.status_code == 429
            assert 0 < int(response.headers["Retry-After"]) <= 3600
        await settled(app)
    assert hashes == []
    assert len(await mails(app)) == REGISTRATIONS_PER_ADDRESS


def test_open_registration_without_mail_is_refused_at_start() -> None:
    with pytest.raises(SettingError, match=r"^SCHED_REGISTRATION=open needs SCHED_MAIL_URL"):
        create_app({"REGISTRATION": "open"})


def test_a_kind_of_registration_that_does_not_exist_is_refused_at_start() -> None:
    with pytest.raises(SettingError, match="must be one of closed, invite, open"):
        create_app({"REGISTRATION": "all"})


async def test_the_first_account_is_an_administrator_and_no_other(app: Quart) -> None:
    async with app.app_context():
        for name in ("ada", "bob"):
            email, zone = f"{name}@example.org", "UTC"
            await create_account(name=name, email=email, password=PASSWORD, timezone=zone)
    made = await users(app)
    assert {email: user.is_admin for email, user in made.items()} == {
        "ada@example.org": True,
        "bob@example.org": False,
    }


async def test_a_form_makes_the_account_that_its_page_named(
    app: Quart, client: Browser, alice: User
) -> None:
    """Two links are opened in one browser, and then the form of the first is sent."""
    links = [await link_for(app, client, email=f"{name}@example.org") for name in ("bob", "carol")]
    pages = []
    for link in links:
        pages.append(await hidden_fields(await client.get(await follow(client, link))))
    assert (await client.post(CONFIRM, form=pages[0])).status_code == 303
    assert set(await users(app)) == {"alice@example.org", "bob@example.org"}
    assert (await client.post(CONFIRM, form=pages[1])).status_code == 303
    assert "carol@example.org" in await users(app)


async def test_an_invitation_opened_meanwhile_changes_no_open_form(
    app: Quart, client: Browser, alice: User
) -> None:
    form = BOB | await hidden_fields(await client.get(REGISTER))
    async with app.app_context(), begin() as db:
        link = await invite(db, "carol@example.org")
    await follow(client, link.removeprefix("http://localhost"))
    assert "Check your email" in await text(await client.post(REGISTER, form=form))
