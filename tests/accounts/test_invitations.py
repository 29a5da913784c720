"""Invitations: the link that makes one account, for the address that was invited."""

from datetime import timedelta
from typing import Any

import pytest
from quart import Quart

from sched_async.accounts.one_time_links import ENDED
from sched_async.accounts.registration.invitations import invite
from sched_async.app import create_app
from sched_async.database import begin
from sched_async.errors import RefusedError
from sched_async.models import Activity, LoginSession, OneTimeToken, User
from sched_async.testing import signed_in

from ..mailbox import MAIL_URL, mails, path_in
from ..pages import Browser, cookie, csrf_token, hidden_fields, is_signed_in, log_in, text
from ..rows import all_rows
from .links import age_tokens, at_once, fill_in, follow, visit

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL, REGISTRATION="invite")

PASSWORD = "seven quiet otters upstream"
BOB = {"name": "Bob", "timezone": "Europe/Paris", "password": PASSWORD, "password_again": PASSWORD}
REGISTER = "/register/"
NOT_VALID = "This invitation is no longer valid"


async def invited(app: Quart, email: str = "bob@example.org") -> str:
    """Invite somebody; returns the path of the link."""
    async with app.app_context(), begin() as db:
        link = await invite(db, email)
    assert link.startswith("http://localhost/register/")
    return link.removeprefix("http://localhost")


async def accept(client: Browser, **changed: str) -> int:
    return (await fill_in(client, REGISTER, **BOB | changed)).status_code


async def users(app: Quart) -> dict[str, User]:
    return {user.email: user for user in await all_rows(app, User)}


async def is_over(client: Browser) -> bool:
    response = await client.get(REGISTER)
    assert (response.status_code == 404) == (NOT_VALID in await text(response))
    return response.status_code == 404


async def test_an_invitation_makes_an_account_at_once(
    app: Quart, client: Browser, alice: User
) -> None:
    page = await follow(client, await invited(app))
    assert page == REGISTER
    assert "bob@example.org" in await text(await client.get(page))
    response = await fill_in(client, page, **BOB)
    assert (response.status_code, response.location) == (303, "/login/")
    assert await all_rows(app, LoginSession) == [], "nobody is signed in by it"
    assert "Your account is ready." in await text(await client.get("/login/"))
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


async def test_the_invitation_is_mailed_with_its_link(app: Quart, alice: User) -> None:
    link = await invited(app, " Bob@Example.ORG ")
    (mail,) = await mails(app)
    assert (mail.recipient, path_in(mail)) == ("bob@example.org", link)


async def test_a_mail_scanner_does_not_use_an_invitation_up(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.6.2."""
    link = await invited(app)
    for method in ("HEAD", "GET"):
        scanner = app.test_client()
        response = await visit(scanner, await follow(scanner, link, method), method)
        assert response.status_code == 200
        assert cookie(scanner) is None
    assert list(await users(app)) == ["alice@example.org"]
    await follow(client, link)
    assert await accept(client) == 303


async def test_an_invitation_works_once(app: Quart, client: Browser, alice: User) -> None:
    """ASVS 6.4.1."""
    link = await invited(app)
    await follow(client, link)
    assert await accept(client) == 303
    await follow(client, link)
    assert await is_over(client)
    response = await client.get(REGISTER)
    assert response.status_code == 404
    assert "Open the link in this browser" in await text(response), "as where it never was"


async def test_where_somebody_else_is_signed_in_a_new_account_leads_to_signing_them_out(
    app: Quart, alice: User
) -> None:
    client = await signed_in(app, alice.email)
    page = await follow(client, await invited(app))
    assert "This browser is signed in as" in await text(await client.get(page))
    response = await fill_in(client, page, **BOB)
    assert (response.status_code, response.location) == (303, "/logout/")
    said = (await text(await client.get("/logout/"))).replace("\u2068", "").replace("\u2069", "")
    assert "Your account is ready. The account is bob@example.org" in said
    assert "this browser is signed in as alice@example.org" in said
    await follow(client, await invited(app, "carol@example.org"))
    assert await is_signed_in(client), "until that person signs out"


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_many_who_use_one_invitation_at_once_one_succeeds(app: Quart, alice: User) -> None:
    link = await invited(app)
    browsers: list[Browser] = [app.test_client() for _ in range(6)]
    for browser in browsers:
        await follow(browser, link)
    forms = [BOB | {"name": f"Bob {index}"} for index in range(6)]
    statuses = await at_once(browsers, REGISTER, *forms)
    assert sorted(statuses) == [303] + [404] * 5
    assert (await users(app))["bob@example.org"].name == f"Bob {statuses.index(303)}"


async def test_an_invitation_is_over_after_seven_days(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 6.4.1."""
    await follow(client, await invited(app))
    await age_tokens(app, timedelta(days=7, minutes=-1))
    assert (await client.get(REGISTER)).status_code == 200
    await age_tokens(app, timedelta(minutes=1))
    assert await is_over(client)


async def test_a_newer_invitation_to_the_same_address_ends_the_older(
    app: Quart, client: Browser, alice: User
) -> None:
    older, others = await invited(app), await invited(app, "carol@example.org")
    newer = await invited(app)
    await follow(client, older)
    assert "A newer invitation has been sent since." in await text(await client.get(REGISTER))
    await follow(client, older)
    assert await is_over(client)
    for link in (others, newer):
        browser = app.test_client()
        await follow(browser, link)
        assert (await browser.get(REGISTER)).status_code == 200


@pytest.mark.parametrize(
    "extra", [{"email": "mallory@example.org"}, {"is_admin": "1"}, {"id": "1"}]
)
async def test_the_address_and_all_else_is_fixed_by_the_invitation(
    app: Quart, client: Browser, alice: User, extra: dict[str, str]
) -> None:
    await follow(client, await invited(app))
    assert await accept(client, **extra) == 422
    assert list(await users(app)) == ["alice@example.org"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": ""}, "Your name"),
        ({"timezone": "Europe/Nowhere"}, "Unknown time zone."),
        ({"password": "short", "password_again": "short"}, "Use at least 12 characters."),
        ({"password_again": "another one entirely"}, "The passwords don't match."),
        (
            {"password": "Bob@Example.org1", "password_again": "Bob@Example.org1"},
            "This is too similar to your name",
        ),
    ],
)
async def test_what_will_not_do_leaves_the_invitation_as_it_was(
    app: Quart, client: Browser, alice: User, changed: dict[str, str], message: str
) -> None:
    await follow(client, await invited(app))
    response = await fill_in(client, REGISTER, **BOB | changed)
    assert response.status_code == 422
    assert message in await text(response)
    assert await accept(client) == 303


async def test_a_form_left_open_while_the_invitation_ends_makes_no_account(
    app: Quart, client: Browser, alice: User
) -> None:
    await follow(client, await invited(app))
    form = BOB | {"csrf_token": await csrf_token(client, REGISTER)}
    await invited(app)
    response = await client.post(REGISTER, form=form)
    assert response.status_code == 404
    assert NOT_VALID in await text(response)
    assert list(await users(app)) == ["alice@example.org"]


async def test_an_invitation_ends_when_its_address_gets_an_account_otherwise(
    app: Quart, client: Browser, alice: User
) -> None:
    await follow(client, await invited(app))
    form = BOB | {"csrf_token": await csrf_token(client, REGISTER)}
    async with app.app_context(), begin() as db:
        db.add(User(name="B", email="bob@example.org", password_hash="", timezone="UTC"))
    response = await client.post(REGISTER, form=form)
    assert response.status_code == 404
    assert NOT_VALID in await text(response)
    assert (await users(app))["bob@example.org"].name == "B"


@pytest.mark.parametrize("token", ["made-up", "A" * 43, "x" * 500])
async def test_a_made_up_invitation_makes_no_account(
    client: Browser, alice: User, token: str
) -> None:
    await follow(client, f"{REGISTER}{token}/")
    assert (await client.get(REGISTER)).status_code == 404


async def test_without_an_invitation_there_is_no_page(client: Browser, alice: User) -> None:
    for method in ("GET", "HEAD"):
        assert (await visit(client, REGISTER, method)).status_code == 404
    form = BOB | {"email": "bob@example.org", "csrf_token": await csrf_token(client)}
    assert (await client.post(REGISTER, form=form)).status_code == 404
    assert "/register/" not in await text(await client.get("/login/"))


async def test_the_link_of_another_purpose_invites_nobody(
    app: Quart, client: Browser, alice: User
) -> None:
    link = await invited(app)
    token = link.removeprefix(REGISTER)
    await follow(client, f"/password/reset/{token}")
    assert (await client.get("/password/reset/")).status_code == 404
    await follow(client, f"/register/confirm/{token}")
    assert (await client.get("/register/confirm/")).status_code == 404


async def test_whoever_has_an_account_is_not_invited(app: Quart, alice: User) -> None:
    with pytest.raises(RefusedError, match="There is already an account with this address"):
        await invited(app, "ALICE@example.org")
    assert await all_rows(app, OneTimeToken) == []
    assert await mails(app) == []


async def test_what_is_no_address_is_not_invited(app: Quart) -> None:
    with pytest.raises(RefusedError, match="This is not an email address"):
        await invited(app, "bob")


async def test_nobody_is_invited_where_registration_is_closed(settings: dict[str, Any]) -> None:
    app = create_app(settings | {"REGISTRATION": "closed"})
    async with app.test_app():
        with pytest.raises(RefusedError, match="Registration is closed"):
            await invited(app)


async def test_closing_registration_ends_the_invitations_that_are_out(
    app: Quart, client: Browser, alice: User
) -> None:
    await follow(client, await invited(app))
    app.config["REGISTRATION"] = "closed"
    assert (await client.get(REGISTER)).status_code == 404
    form = BOB | {"csrf_token": await csrf_token(client)}
    assert (await client.post(REGISTER, form=form)).status_code == 404
    assert list(await users(app)) == ["alice@example.org"]


async def test_the_first_who_is_invited_is_an_administrator(app: Quart, client: Browser) -> None:
    await follow(client, await invited(app))
    assert await accept(client) == 303
    assert (await users(app))["bob@example.org"].is_admin
    left = {row.purpose for row in await all_rows(app, OneTimeToken)}
    assert left == {ENDED}, "the link of the set-up is void, too"


async def test_a_form_makes_the_account_that_its_page_named(
    app: Quart, client: Browser, alice: User
) -> None:
    """Two invitations are opened in one browser, and then the form of the first is sent."""
    links = [await invited(app, f"{name}@example.org") for name in ("bob", "carol")]
    pages = []
    for link in links:
        pages.append(await hidden_fields(await client.get(await follow(client, link))))
    assert (await client.post(REGISTER, form=pages[0] | BOB)).status_code == 303
    assert set(await users(app)) == {"alice@example.org", "bob@example.org"}
    assert (await client.post(REGISTER, form=pages[1] | BOB)).status_code == 303
    assert "carol@example.org" in await users(app)
