"""The first account: one link, one winner, and a form that forgets nothing but passwords."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from quart import Quart
from quart.testing import QuartClient
from sqlalchemy import select, update

from sched_async.accounts.registration.rules import create_account, setup_link
from sched_async.database import begin
from sched_async.errors import RefusedError
from sched_async.models import OneTimeToken, User
from sched_async.testing import Client

from ..conftest import ALICE_PASSWORD
from ..pages import csrf_token, log_in, text
from ..rows import all_rows, contents
from ..security import refused
from ..tables import each, shown

OVER = "This link is no longer valid"
REQUIRED = "This field is required."
NO_EMAIL = "This is not an email address."
NO_ZONE = "Unknown time zone. Try one like Europe/London."
NAME = "Use 1 to 100 characters."
FORM = {
    "name": "Alice",
    "email": "alice@example.org",
    "timezone": "Europe/Berlin",
    "password": ALICE_PASSWORD,
    "password_again": ALICE_PASSWORD,
}


async def new_link(app: Quart) -> str:
    """The path of a link as each start prints one."""
    async with app.app_context():
        link = await setup_link()
    assert link
    assert link.startswith("http://localhost/setup/")
    return link.removeprefix("http://localhost")


@pytest.fixture
async def link(app: Quart) -> str:
    return await new_link(app)


async def is_over(app: Quart, link: str) -> bool:
    response = await app.test_client().get(link)
    assert response.status_code in (200, 404)
    assert (OVER in await text(response)) == (response.status_code == 404)
    return response.status_code == 404


# The link


async def test_the_link_makes_an_account_and_signs_its_owner_in(app: Quart, link: str) -> None:
    client = QuartClient(app)
    form = FORM | {"csrf_token": await csrf_token(client, link)}
    response = await client.post(link, form=form)
    assert (response.status_code, response.location) == (303, "/appointments/")
    page = await text(await client.get("/appointments/"))
    assert "Your account is ready." in page
    assert "Alice" in page
    assert (await log_in(QuartClient(app), "alice@example.org", ALICE_PASSWORD)).status_code == 303
    (alice,) = await all_rows(app, User)
    assert (alice.name, alice.email, alice.timezone) == (
        "Alice",
        "alice@example.org",
        "Europe/Berlin",
    )


async def test_the_link_works_once_and_takes_all_others_with_it(app: Quart, link: str) -> None:
    """ASVS 6.4.1."""
    earlier = [await new_link(app) for _ in range(2)]
    client = Client(app)
    assert (await client.post(link, form=FORM)).status_code == 303
    for one in (link, *earlier):
        assert await is_over(app, one)
        response = await refused(client, one, form=FORM | {"email": "mallory@example.org"})
        assert response.status_code == 404
        assert OVER in await text(response)
    assert len(await all_rows(app, User)) == 1


async def test_the_link_lasts_an_hour(app: Quart, link: str) -> None:
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(minutes=59)):
        assert not await is_over(app, link)
    with time_machine.travel(now + timedelta(minutes=60, seconds=1)):
        assert await is_over(app, link)
        assert (await refused(Client(app), link, form=FORM)).status_code == 404


async def test_whoever_only_looks_uses_nothing_up(app: Quart, link: str) -> None:
    """As the previews of messengers and the scanners of mail do."""
    before = await contents(app)
    for method in ("GET", "HEAD", "OPTIONS", "GET"):
        response = await QuartClient(app).open(link, method=method)
        assert response.status_code == 200
    assert await contents(app) == before


async def test_the_link_is_kept_only_as_a_hash(app: Quart, link: str) -> None:
    token = link.split("/")[2]
    assert len(token) == 43
    assert token not in str(await contents(app))


async def test_a_link_that_was_guessed_is_none(app: Quart, link: str) -> None:
    token = link.split("/")[2]
    for wrong in ("x", token[:-1], f"{token}x", token.swapcase(), "é", "%20", "x" * 1000):
        assert await is_over(app, f"/setup/{wrong}/")


async def test_a_token_for_something_else_makes_no_account(app: Quart, link: str) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(update(OneTimeToken).values(purpose="reset"))
    assert await is_over(app, link)
    assert (await refused(Client(app), link, form=FORM)).status_code == 404


@pytest.mark.databases("sqlite", "postgresql")
async def test_an_account_made_otherwise_ends_every_link(app: Quart, link: str) -> None:
    async with app.app_context():
        await create_account(
            name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
        )
        assert await setup_link() is None
    assert await is_over(app, link)


async def test_a_link_that_was_made_at_the_moment_of_the_first_account_is_over(
    app: Quart, link: str
) -> None:
    """As when the command line adds an account while the server starts."""
    form = FORM | {"csrf_token": await csrf_token(client := Client(app), link)}
    async with app.app_context(), begin() as db:
        db.add(User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC"))
    assert await is_over(app, link)
    assert (await client.post(link, form=form)).status_code == 404
    assert [user.name for user in await all_rows(app, User)] == ["Ada"]


@pytest.mark.databases("postgresql")
async def test_an_account_that_appears_while_the_form_is_read_is_the_only_one(
    app: Quart, link: str
) -> None:
    form = FORM | {"csrf_token": await csrf_token(client := Client(app), link)}
    async with app.app_context(), begin() as db:
        await db.scalar(select(OneTimeToken).with_for_update())
        db.add(User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC"))
        await db.flush()
        setting_up = asyncio.create_task(client.post(link, form=form))
        done, _ = await asyncio.wait([setting_up], timeout=0.5)
        assert not done
    assert (await setting_up).status_code == 404
    assert [user.name for user in await all_rows(app, User)] == ["Ada"]


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize("links", [1, 6])
async def test_of_several_people_at_once_exactly_one_wins(app: Quart, links: int) -> None:
    paths = [await new_link(app) for _ in range(links)]
    people = [FORM | {"name": f"P{n}", "email": f"p{n}@example.org"} for n in range(6)]
    answers = await asyncio.gather(
        *(
            Client(app).post(paths[number % links], form=person)
            for number, person in enumerate(people)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [303, 404, 404, 404, 404, 404]
    (user,) = await all_rows(app, User)
    winner = [answer.status_code for answer in answers].index(303)
    assert user.email == people[winner]["email"]
    assert (await contents(app))["one_time_token"] == []


# The form

WRONG = [
    ({"name": ""}, REQUIRED),
    ({"name": "   "}, NAME),
    ({"name": "x" * 101}, "Field cannot be longer than 100 characters."),
    ({"name": "A\nlice"}, "This contains a character that can't be used."),
    ({"name": "Alice\u202eecilA"}, "Remove U+202E."),
    ({"email": ""}, REQUIRED),
    ({"email": "alice"}, NO_EMAIL),
    ({"email": "alice@"}, NO_EMAIL),
    ({"email": "al ice@example.org"}, NO_EMAIL),
    ({"email": "alice@example.org, bob@example.org"}, NO_EMAIL),
    ({"email": "alice@example.org\r\nBcc: bob@example.org"}, NO_EMAIL),
    ({"email": f"{'x' * 250}@example.org"}, "Field cannot be longer than 254 characters."),
    ({"timezone": ""}, NO_ZONE),
    ({"timezone": "Mars/Olympus"}, NO_ZONE),
    ({"timezone": "../../etc/passwd"}, NO_ZONE),
    ({"password": ""}, REQUIRED),
    ({"password": "too short", "password_again": "too short"}, "Use at least 12 characters."),
    (
        {"password": "x" * 1025, "password_again": "x" * 1025},
        "Use at most 1024 characters.",
    ),
    (
        {"password": "alice@example.org", "password_again": "alice@example.org"},
        "This is too similar to your name or email, or to the name of this site.",
    ),
    (
        {"password": "qwertyuiop123", "password_again": "qwertyuiop123"},
        "This password is too common. Choose another.",
    ),
    ({"password_again": ""}, "The passwords don't match."),
    ({"password_again": f"{ALICE_PASSWORD} "}, "The passwords don't match."),
]


@each(("changed", "message"), WRONG)
async def test_a_wrong_form_says_so_and_comes_back_as_it_was(
    app: Quart, link: str, changed: dict[str, str], message: str
) -> None:
    sent = FORM | changed
    response = await refused(Client(app), link, form=sent)
    assert response.status_code == 422
    page = await text(response)
    assert message in page
    for name in ("name", "email", "timezone"):
        if name not in changed:
            assert f'value="{sent[name]}"' in page
    assert ALICE_PASSWORD not in page
    assert sent["password"] not in page or sent["password"] in (sent["email"], "")
    assert not await is_over(app, link), "the link is still good"


async def test_what_was_wrong_can_be_mended_with_the_same_link(app: Quart, link: str) -> None:
    client = Client(app)
    assert (await client.post(link, form=FORM | {"email": "alice"})).status_code == 422
    assert (await client.post(link, form=FORM)).status_code == 303


async def test_a_wrong_value_comes_back_as_well_and_only_as_text(app: Quart, link: str) -> None:
    hostile = '"><script>alert(1)</script>{{ 7 * 7 }}'
    for name in ("name", "email", "timezone"):
        form = FORM | {"password_again": "", name: hostile}
        response = await refused(Client(app), link, form=form)
        assert "<script>alert" not in await response.get_data(as_text=True)
        assert hostile in await text(response)


async def test_without_a_browser_that_tells_the_zone_is_utc(app: Quart, link: str) -> None:
    page = await text(await app.test_client().get(link))
    assert 'value="UTC"' in page
    assert 'value="Europe/Berlin"' in page, "the list has the others to choose from"


@pytest.mark.databases("sqlite", "postgresql")
@pytest.mark.parametrize(
    ("changed", "name", "kept"),
    [
        ({"timezone": " europe/BERLIN "}, "timezone", "Europe/Berlin"),
        ({"timezone": "UTC"}, "timezone", "UTC"),
        ({"email": " Alice@Example.ORG "}, "email", "alice@example.org"),
        ({"email": "alice@nas.home"}, "email", "alice@nas.home"),
        ({"email": "o'alice+sched@example.org"}, "email", "o'alice+sched@example.org"),
        ({"name": "  Alice Liddell "}, "name", "Alice Liddell"),
        ({"name": "アリス 🐇"}, "name", "アリス 🐇"),
        ({"name": "x" * 100}, "name", "x" * 100),
    ],
    ids=shown,
)
async def test_what_is_meant_is_kept_and_signs_in(
    app: Quart, link: str, changed: dict[str, str], name: str, kept: str
) -> None:
    form = FORM | changed
    client = Client(app)
    assert (await client.post(link, form=form)).status_code == 303
    (user,) = await all_rows(app, User)
    assert getattr(user, name) == kept
    assert (await log_in(Client(app), form["email"], ALICE_PASSWORD)).status_code == 303


@each(
    ("changed", "field"),
    [
        ({"name": " "}, "name"),
        ({"name": "A\tB"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"email": "alice"}, "email"),
        ({"email": "ALICE@example.org"}, "email"),
        ({"timezone": "Mars"}, "timezone"),
        ({"password": "too short"}, "password"),
    ],
)
async def test_outside_a_form_the_same_rules_hold_and_the_field_is_named(
    app: Quart, alice: User, changed: dict[str, Any], field: str
) -> None:
    given = {"name": "Bob", "email": "bob@example.org", "timezone": "UTC"}
    before = await contents(app)
    async with app.app_context():
        with pytest.raises(RefusedError) as refusal:
            await create_account(**{**given, "password": ALICE_PASSWORD, **changed})
    assert refusal.value.field == field
    assert await contents(app) == before
