"""Changing one's e-mail address: asking for a link, using it, and everything by which it ends."""

import asyncio
from datetime import timedelta

import pytest
from quart import Quart
from quart.testing import QuartClient

from sched_async.accounts.one_time_links import ENDED
from sched_async.accounts.password_reset import link_for
from sched_async.accounts.registration.rules import create_account
from sched_async.accounts.settings.email import change_for
from sched_async.errors import RefusedError
from sched_async.models import OneTimeToken, User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD, MALLORY_PASSWORD
from ..mailbox import MAIL_URL, link_in, mails, path_in
from ..pages import Browser, asks_to_confirm, csrf_token, hidden_fields, log_in, text
from ..rows import activities, all_rows
from ..tables import each
from .links import age_tokens, looks
from .logins import age_proof

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL)

EMAIL = "/account/email/"
OLD, NEW = "alice@example.org", "alice@example.net"
NOT_VALID = "This link is no longer valid"


async def link_to(app: Quart, client: Client, email: str = NEW) -> str:
    """Ask for a link; returns the path of the one that is mailed."""
    response = await client.post(EMAIL, form={"email": email})
    assert (response.status_code, response.location) == (303, EMAIL)
    mail = (await mails(app))[-1]
    assert mail.recipient == email.lower()
    return path_in(mail)


async def address(app: Quart, user_id: int = 1) -> str:
    (user,) = [user for user in await all_rows(app, User) if user.id == user_id]
    return str(user.email)


async def test_an_address_counts_once_it_is_proven(
    app: Quart, hers: Client, client: Browser
) -> None:
    link = await link_to(app, hers, "Alice@Example.NET")
    assert f"We've sent a link to {NEW}." in await text(await hers.get(EMAIL))
    assert await address(app) == OLD
    page = await text(await hers.get(link))
    assert NEW in page
    response = await hers.post(link)
    assert (response.status_code, response.location) == (303, EMAIL)
    assert f"Your email address is now {NEW}." in await text(await hers.get(EMAIL))
    assert (await log_in(client, OLD, ALICE_PASSWORD)).status_code == 401
    assert (await log_in(client, NEW, ALICE_PASSWORD)).status_code == 303


async def test_the_link_is_of_the_public_address_and_names_nobody(app: Quart, hers: Client) -> None:
    await hers.post(EMAIL, form={"email": NEW}, headers={"X-Forwarded-Host": "evil.example"})
    (mail,) = await mails(app)
    assert link_in(mail).startswith(f"http://localhost{EMAIL}")
    for part in (mail.text, mail.html):
        assert "Alice" not in part
        assert OLD not in part


async def test_the_old_address_is_told(app: Quart, hers: Client, alice: User) -> None:
    """ASVS 6.3.5."""
    await hers.post(await link_to(app, hers))
    _, notice = await mails(app)
    assert (notice.recipient, notice.subject) == (OLD, "Your email address was changed")
    assert NEW not in notice.text + notice.html, "who reads there now is not known"
    assert await activities(app, alice.id) == ["email_asked", "email_changed"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_opening_a_link_changes_nothing_and_does_not_use_it_up(
    app: Quart, hers: Client, client: QuartClient, method: str
) -> None:
    link = await link_to(app, hers)
    for _ in range(2):
        assert (await hers.open(link, method=method)).status_code == 200
        assert (await client.open(link, method=method)).status_code == 303
    assert await address(app) == OLD
    assert (await hers.post(link)).status_code == 303
    assert await address(app) == NEW


async def test_whoever_is_not_signed_in_is_led_back_to_the_link(
    app: Quart, hers: Client, client: Browser
) -> None:
    link = await link_to(app, hers)
    response = await client.get(link)
    assert response.location == f"/login/?next={link}"
    response = await log_in(client, OLD, ALICE_PASSWORD, next=link)
    assert response.location == link
    form = {"csrf_token": await csrf_token(client, link)}
    assert (await client.post(link, form=form)).status_code == 303
    assert await address(app) == NEW


async def test_a_link_works_once(app: Quart, hers: Client) -> None:
    """ASVS 6.4.1."""
    link = await link_to(app, hers)
    await hers.post(link)
    for response in (await hers.get(link), await hers.post(link)):
        assert response.status_code == 404
        assert NOT_VALID in await text(response)
    assert len(await mails(app)) == 2


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_two_that_use_a_link_at_once_one_wins(
    app: Quart, hers: Client, alice: User
) -> None:
    there = await signed_in(app, OLD)
    link = await link_to(app, hers)
    answers = await asyncio.gather(hers.post(link), there.post(link))
    assert sorted(answer.status_code for answer in answers) == [303, 404]
    assert await activities(app, alice.id) == ["email_asked", "email_changed"]


async def test_a_link_is_another_persons_no_more_than_a_made_up_one(
    app: Quart, hers: Client, mallory: User
) -> None:
    """ASVS 8.2.2."""
    link, made_up = await link_to(app, hers), f"{EMAIL}{'A' * 43}/"
    theirs = await signed_in(app, "mallory@example.org")
    for method in ("GET", "POST"):
        answers = [await theirs.open(path, method=method) for path in (link, made_up)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert await looks(answers[0]) == await looks(answers[1])
    assert (await address(app, 1), await address(app, 2)) == (OLD, "mallory@example.org")
    assert (await hers.post(link)).status_code == 303, "it was not used up"


@pytest.mark.parametrize(("hours", "status"), [(23, 303), (24, 404)])
async def test_a_link_works_for_a_day(app: Quart, hers: Client, hours: int, status: int) -> None:
    link = await link_to(app, hers)
    await age_tokens(app, timedelta(hours=hours))
    assert (await hers.post(link)).status_code == status


@pytest.mark.parametrize("second", ["alice@example.com", "mallory@example.org"])
async def test_a_newer_link_ends_the_one_before_also_to_an_address_in_use(
    app: Quart, hers: Client, mallory: User, second: str
) -> None:
    link = await link_to(app, hers)
    await hers.post(EMAIL, form={"email": second})
    refused = await hers.post(link)
    assert refused.status_code == 404
    page = await text(refused)
    assert "A newer link has been sent since." in page
    assert "If the link is for another account, sign out first" in page
    assert await address(app) == OLD


async def test_a_link_for_something_else_is_none(app: Quart, hers: Client, client: Browser) -> None:
    """ASVS 9.2.x: a token is bound to its purpose."""
    link = await link_to(app, hers)
    async with app.app_context():
        reset = (await link_for(OLD)).removeprefix("http://localhost")
    token, reset_token = (path.rstrip("/").rpartition("/")[2] for path in (link, reset))
    assert (await hers.post(f"{EMAIL}{reset_token}/")).status_code == 404
    assert (await client.get(f"/password/reset/{token}/")).status_code == 303
    assert (await client.get("/password/reset/")).status_code == 404


async def test_links_for_a_new_password_die_with_the_old_address(
    app: Quart, hers: Client, client: Browser
) -> None:
    """ASVS 6.4.3."""
    link = await link_to(app, hers)
    async with app.app_context():
        reset = (await link_for(OLD)).removeprefix("http://localhost")
    await hers.post(link)
    assert {row.purpose for row in await all_rows(app, OneTimeToken)} == {ENDED}
    await client.get(reset)
    assert (await client.get("/password/reset/")).status_code == 404


async def test_the_answer_does_not_tell_whether_an_address_has_an_account(
    app: Quart, alice: User, mallory: User
) -> None:
    """ASVS 6.3.8."""
    seen = []
    for email in ("mallory@example.org", "nobody2@example.org"):
        client = await signed_in(app, OLD)
        before = len(await mails(app))
        response = await client.post(EMAIL, form={"email": email})
        pages = [await looks(answer) for answer in (response, await client.get(EMAIL))]
        rows = [row.purpose for row in await all_rows(app, OneTimeToken)].count("change-email")
        seen.append((repr(pages).replace(email, "…"), rows, len(await mails(app)) - before))
    assert seen[0] == seen[1]
    assert await activities(app, mallory.id) == []


async def test_whoever_has_the_address_is_told_and_nothing_changes(
    app: Quart, hers: Client, mallory: User
) -> None:
    await hers.post(EMAIL, form={"email": "mallory@example.org"})
    (mail,) = await mails(app)
    assert (mail.recipient, mail.subject) == (
        "mallory@example.org",
        "Your email address is already in use",
    )
    assert "Hello Mallory," in mail.text
    assert EMAIL not in mail.text + mail.html, "there is no link to use"
    assert OLD not in mail.text + mail.html
    assert (await address(app, 1), await address(app, 2)) == (OLD, "mallory@example.org")


async def test_an_address_that_another_account_gets_meanwhile_is_refused_in_words(
    app: Quart, hers: Client
) -> None:
    link = await link_to(app, hers)
    async with app.app_context():
        await create_account(name="Eve", email=NEW, password=MALLORY_PASSWORD, timezone="UTC")
    response = await hers.post(link)
    assert response.status_code == 409
    page = await text(response)
    assert "Another account has this address" in page
    assert OLD in page
    assert await address(app) == OLD
    assert len(await mails(app)) == 1, "nobody is told of what did not happen"


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_two_accounts_that_prove_an_address_at_once_one_gets_it(
    app: Quart, hers: Client, mallory: User
) -> None:
    theirs = await signed_in(app, "mallory@example.org")
    links = [await link_to(app, client) for client in (hers, theirs)]
    answers = await asyncio.gather(hers.post(links[0]), theirs.post(links[1]))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert sorted([await address(app, 1), await address(app, 2)]).count(NEW) == 1


@each(
    "email",
    [
        "",
        "nonsense",
        "a@b@c",
        "x" * 250 + "@example.org",
        "a\r\nBcc: b@example.org",
        "ALICE@example.org",
    ],
)
async def test_what_is_no_new_address_is_refused(app: Quart, hers: Client, email: str) -> None:
    response = await hers.post(EMAIL, form={"email": email})
    assert response.status_code == 422
    assert 'id="email-problem"' in await text(response)
    assert await mails(app) == []
    assert await all_rows(app, OneTimeToken) == []


async def test_nobody_has_mail_sent_again_and_again(app: Quart, hers: Client, alice: User) -> None:
    """ASVS 6.3.1."""
    emails = [f"victim{number}@example.net" for number in range(4)]
    answers = [await hers.post(EMAIL, form={"email": email}) for email in emails]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert [mail.recipient for mail in await mails(app)] == emails[:3]
    assert await activities(app, alice.id) == ["email_asked"] * 3


async def test_a_link_stays_good_when_no_newer_one_is_mailed(
    app: Quart, hers: Client, mallory: User
) -> None:
    stranger = await signed_in(app, mallory.email)
    for _ in range(2):
        await stranger.post(EMAIL, form={"email": NEW})
    link = await link_to(app, hers)
    assert (await hers.post(EMAIL, form={"email": NEW})).status_code == 303
    assert len(await mails(app)) == 3
    assert (await hers.post(link)).status_code == 303
    assert await address(app) == NEW


async def test_after_ten_minutes_one_has_to_prove_oneself_and_what_was_typed_is_kept(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.5.1."""
    await log_in(client, OLD, ALICE_PASSWORD)
    token = await csrf_token(client, EMAIL)
    await age_proof(app)
    response = await client.post(EMAIL, form={"email": NEW, "csrf_token": token})
    assert await asks_to_confirm(response, EMAIL)
    assert await mails(app) == []
    response = await client.post(
        "/confirm/", form=await hidden_fields(response) | {"password": ALICE_PASSWORD}
    )
    assert await mails(app) == [], "the person has to press the button again"
    sent = await hidden_fields(response)
    assert sent["email"] == NEW
    assert (await client.post(EMAIL, form=sent)).status_code == 303
    assert len(await mails(app)) == 1


async def test_a_link_can_be_used_without_a_new_proof_but_not_by_another_site(
    app: Quart, hers: Client
) -> None:
    link = await link_to(app, hers)
    await age_proof(app)
    forged = await hers.post(link, headers={"Origin": "https://evil.example"})
    assert forged.status_code == 403
    assert (await hers.post(link)).status_code == 303


async def test_without_mail_the_page_says_who_can_change_it(app: Quart, hers: Client) -> None:
    app.config["MAIL_URL"] = None
    page = await text(await hers.get(EMAIL))
    assert "Ask its operator to change the address for you" in page
    assert 'name="email"' not in page
    assert (await hers.post(EMAIL, form={"email": NEW})).status_code == 422
    assert await all_rows(app, OneTimeToken) == []


async def test_the_operator_changes_an_address(app: Quart, hers: Client, alice: User) -> None:
    link = await link_to(app, hers)
    async with app.app_context():
        await link_for(OLD)
        assert await change_for(" ALICE@example.org", "Alice@Home.example") == "alice@home.example"
    assert await address(app) == "alice@home.example"
    assert await all_rows(app, OneTimeToken) == []
    assert (await hers.post(link)).status_code == 404
    assert [mail.recipient for mail in await mails(app)] == [NEW, OLD]
    assert (await activities(app, alice.id))[-1] == "email_set"


@pytest.mark.parametrize(
    ("email", "new"),
    [
        ("nobody@example.org", NEW),
        (OLD, "nonsense"),
        (OLD, "ALICE@example.org"),
        (OLD, "mallory@example.org"),
    ],
)
async def test_the_operator_is_told_what_will_not_do(
    app: Quart, alice: User, mallory: User, email: str, new: str
) -> None:
    async with app.app_context():
        with pytest.raises(RefusedError):
            await change_for(email, new)
    assert (await address(app, 1), await address(app, 2)) == (OLD, "mallory@example.org")
    assert await mails(app) == []
