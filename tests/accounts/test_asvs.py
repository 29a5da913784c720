"""What OWASP's ASVS 5.0 asks for at level 2, and no feature's own tests show.

Each test names the requirement; docs/security.md says where each of them is shown.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from quart import Quart, Response
from quart.testing import QuartClient

from sched_async.accounts.new_passwords import CONTEXT_WORDS, MIN_LENGTH, common_passwords
from sched_async.accounts.password_reset import link_for
from sched_async.accounts.registration.invitations import invite
from sched_async.accounts.registration.rules import setup_link
from sched_async.accounts.two_factor.codes import RECOVERY_CODES
from sched_async.database import begin
from sched_async.models import LoginSession, User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD
from ..mailbox import MAIL_URL
from ..pages import Browser, asks_to_confirm, cookie, log_in, text
from ..rows import all_rows
from ..servers import ROOT
from ..tables import each
from ..test_policy import rules
from .factors import STATE, enrolled, give_password, recovery_codes_in
from .links import fill_in, follow
from .logins import age_proof

pytestmark = pytest.mark.settings(MAIL_URL=MAIL_URL, REGISTRATION="open")

ALICE = "alice@example.org"
PASSWORD = "/account/password/"
RESET = "/password/reset/"
NEW = "eleven slow herons at dusk"
INPUT = re.compile(r"<input\b[^>]*>")
FIELDS = {"username", "email", "name", "timezone", "remember", "next", "carried", "csrf_token"} | {
    "link",
    "password",
    "password_again",
    "current_password",
}
PUBLIC_PAGES = {"login.login", "password_reset.forgot", "register.register"}


async def change(client: Browser, new: str, current: str = ALICE_PASSWORD) -> Response:
    form = {"current_password": current, "password": new, "password_again": new}
    return await fill_in(client, PASSWORD, **form)


async def signs_in(app: Quart, password: str) -> bool:
    return (await log_in(QuartClient(app), ALICE, password)).status_code == 303


async def reset_path(app: Quart) -> str:
    async with app.app_context():
        return (await link_for(ALICE)).removeprefix("http://localhost")


async def invitation_path(app: Quart) -> str:
    async with app.app_context(), begin() as work:
        return (await invite(work, "bob@example.org")).removeprefix("http://localhost")


async def setup_path(app: Quart) -> str:
    async with app.app_context():
        link = await setup_link()
    assert link
    return link.removeprefix("http://localhost")


def names(page: str) -> set[str]:
    return set(re.findall(r'<(?:input|select|textarea)\b[^>]*\bname="([^"]+)"', page))


# Passwords


async def test_a_password_needs_twelve_characters_and_no_more(hers: Client) -> None:
    """ASVS 6.2.1."""
    word = "quixotry-vex"
    assert len(word) == MIN_LENGTH
    refused = await change(hers, word[1:])
    assert refused.status_code == 422
    assert f"Use at least {MIN_LENGTH} characters." in await text(refused)
    assert (await change(hers, word)).status_code == 303


@pytest.mark.parametrize(
    "password",
    [
        " " * 20,
        "🦆🦢🦩🐧🦉🦅🐦🦜🦚🦤🪿🐔",
        "49201773850264918375",
        "onlysmallletters",
        "ONLYCAPITALS",
    ],
)
async def test_a_password_may_be_of_any_characters(app: Quart, hers: Client, password: str) -> None:
    """ASVS 6.2.5."""
    assert (await change(hers, password)).status_code == 303
    assert await signs_in(app, password)


@pytest.mark.parametrize("length", [64, 73, 128, 1024])
async def test_a_long_password_counts_to_its_last_character(
    app: Quart, hers: Client, length: int
) -> None:
    """ASVS 6.2.8, 6.2.9."""
    password = ("Zwölf graue Reiher, still. " * 40)[: length - 1] + "x"
    assert (await change(hers, password)).status_code == 303
    for other in (password[:-1], password[:-1] + "X", password + "x"):
        assert not await signs_in(app, other)
    assert await signs_in(app, password)


async def test_a_password_that_is_too_long_is_refused_and_never_cut(
    app: Quart, hers: Client
) -> None:
    """ASVS 6.2.8."""
    assert (await change(hers, NEW * 40 + "x" * 50)).status_code == 422
    assert await signs_in(app, ALICE_PASSWORD)


async def test_a_password_is_good_for_as_long_as_its_owner_likes(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 6.2.10."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3650), tick=False):
        response = await log_in(client, ALICE, ALICE_PASSWORD)
        assert (response.status_code, response.location) == (303, "/appointments/")
        assert (await client.get("/appointments/")).status_code == 200


@each("word", [*CONTEXT_WORDS, "alice", "example", "Alice"])
async def test_a_password_of_words_that_anybody_would_try_is_refused(
    hers: Client, word: str
) -> None:
    """ASVS 6.2.11."""
    response = await change(hers, f"{word}-{word}-2026")
    assert response.status_code == 422
    assert "This is too similar to your name" in await text(response)


async def test_a_password_known_from_breaches_is_refused(hers: Client) -> None:
    """ASVS 6.2.12."""
    known = sorted(word for word in common_passwords() if len(word) >= MIN_LENGTH)
    assert len(known) > 200
    for password in (*known[::20], "Dragon123456", "monkey!!!!!!"):
        response = await change(hers, password)
        assert response.status_code == 422, password
        assert "Choose another." in await text(response)


async def test_password_fields_hide_what_is_typed_and_let_managers_help(
    app: Quart, client: QuartClient, hers: Client
) -> None:
    """ASVS 6.2.6, 6.2.7."""
    await follow(client, await reset_path(app))
    pages = [(client, "/login/"), (client, "/register/"), (client, RESET)]
    for browser, path in [*pages, (hers, PASSWORD), (hers, "/confirm/")]:
        page = await text(await browser.get(path))
        fields = [field for field in INPUT.findall(page) if re.search('name="[^"]*password', field)]
        assert fields, path
        for field in fields:
            assert 'type="password"' in field
            assert re.search('autocomplete="(current|new)-password"', field)
        assert "onpaste" not in page
    scripts = (ROOT / "sched_async" / "static").rglob("*.js")
    assert all("paste" not in script.read_text("utf-8") for script in scripts)


# Signing in


async def test_nobody_is_there_before_somebody_makes_an_account(app: Quart) -> None:
    """ASVS 6.3.2."""
    assert await all_rows(app, User) == []
    for name in ("admin", "root", "admin@localhost", "sched@example.org"):
        assert (await log_in(QuartClient(app), name, name)).status_code in (401, 422)


async def test_no_page_asks_what_others_could_know(
    app: Quart, client: QuartClient, hers: Client
) -> None:
    """ASVS 6.4.2: no hints, and no questions about mothers and pets."""
    await follow(client, await reset_path(app))
    pages = [(client, path) for path in ("/login/", "/password/forgot/", "/register/", RESET)]
    for browser, path in [*pages, (hers, PASSWORD), (hers, "/confirm/")]:
        asked = names(await text(await browser.get(path)))
        assert "csrf_token" in asked
        assert asked <= FIELDS, path


async def test_a_new_password_by_a_link_does_not_replace_the_second_factor(
    app: Quart, client: QuartClient, alice: User
) -> None:
    """ASVS 6.4.3, 6.3.4."""
    await enrolled(app, ALICE)
    await follow(client, await reset_path(app))
    chosen = await fill_in(client, RESET, password=NEW, password_again=NEW)
    assert chosen.status_code == 303
    await give_password(client, ALICE, NEW)
    assert cookie(client) is None
    assert (await client.get("/appointments/")).status_code == 303


async def test_recovery_codes_are_long_and_never_the_same(app: Quart, alice: User) -> None:
    """ASVS 6.5.2, 6.5.3, 6.5.4: each has 25 characters of base32, which are 125 bits."""
    _, first = await enrolled(app, ALICE)
    client = await signed_in(app, ALICE)
    seen = list(first)
    for _ in range(10):
        response = await fill_in(client, f"{STATE}recovery-codes/")
        seen += recovery_codes_in(await text(response))
    assert len(seen) == len(set(seen)) == 11 * RECOVERY_CODES
    assert {len(code.replace("-", "")) for code in seen} == {25}
    assert set("".join(seen)) - {"-"} == set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


# Sessions


async def test_every_page_offers_to_sign_out_and_is_kept_by_no_cache(
    app: Quart, hers: Client
) -> None:
    """ASVS 7.4.4, and 7.4.1 for the button that goes back."""
    pages = []
    for rule, _, path in rules(app, {"GET"}):
        response = await hers.get(path)
        is_page = response.status_code == 200 and response.mimetype == "text/html"
        if is_page and rule.endpoint not in PUBLIC_PAGES:
            assert 'action="/logout/"' in await text(response), path
            assert response.headers["Cache-Control"] == "no-store", path
            pages.append(path)
    assert {"/appointments/", "/account/devices/", "/admin/users/"} < set(pages)


@pytest.mark.parametrize(
    "path",
    [
        "/account/password/",
        "/account/email/",
        f"{STATE}set-up/",
        f"{STATE}turn-off/",
        f"{STATE}recovery-codes/",
        "/account/data/",
        "/account/data/export/",
        "/account/data/delete/",
    ],
)
async def test_what_decides_who_signs_in_wants_a_fresh_proof(
    app: Quart, alice: User, path: str
) -> None:
    """ASVS 7.5.1."""
    await enrolled(app, ALICE)
    hers = await signed_in(app, ALICE)
    assert (await hers.get(path)).status_code == 200
    await age_proof(app)
    for method in ("GET", "POST"):
        response = await hers.open(path, method=method, form=None)
        if response.status_code != 405:
            assert await asks_to_confirm(response, path), method


async def test_no_link_signs_anybody_in(app: Quart, client: QuartClient, alice: User) -> None:
    """ASVS 7.6.2."""
    for path in (await reset_path(app), await invitation_path(app)):
        assert (await client.get(path, follow_redirects=True)).status_code == 200
        assert cookie(client) is None
    assert await all_rows(app, LoginSession) == []
    assert (await client.get("/appointments/")).status_code == 303


async def test_the_link_of_the_first_start_signs_nobody_in(app: Quart, client: Browser) -> None:
    """ASVS 7.6.2."""
    assert (await client.get(await setup_path(app))).status_code == 200
    assert cookie(client) is None
