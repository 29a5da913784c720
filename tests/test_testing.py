"""``sched_async.testing``, as whoever scripts the app uses it."""

from typing import Any

import pytest
from quart import Quart

from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.database import begin
from sched_async.models import LoginSession, User
from sched_async.security.csrf import HEADER
from sched_async.testing import signed_in

from .conftest import ALICE_PASSWORD
from .pages import cookie, is_signed_in, text
from .rows import all_rows

FORM = {"title": "Dentist", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}


@pytest.mark.parametrize("remember", [False, True])
async def test_the_login_session_is_a_row_and_the_cookie_a_cookie(
    app: Quart, alice: User, remember: bool
) -> None:
    client = await signed_in(app, "alice@example.org", remember=remember)
    (row,) = await all_rows(app, LoginSession)
    assert (row.user_id, row.remember) == (alice.id, remember)
    assert cookie(client)
    assert "Alice" in await text(await client.get("/appointments/"))


async def test_without_the_row_the_cookie_is_worth_nothing(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    async with app.app_context(), begin() as db:
        await db.delete(await db.get_one(LoginSession, (await all_rows(app, LoginSession))[0].id))
    assert not await is_signed_in(client)


async def test_the_address_may_be_written_as_at_the_login_page(app: Quart, alice: User) -> None:
    assert await is_signed_in(await signed_in(app, " Alice@Example.ORG "))


async def test_an_unknown_address_is_a_lookup_error_that_names_it(app: Quart, alice: User) -> None:
    with pytest.raises(LookupError, match=r"nobody@example\.org"):
        await signed_in(app, "nobody@example.org")
    assert await all_rows(app, LoginSession) == []


async def test_a_deactivated_person_is_not_signed_in(app: Quart, alice: User) -> None:
    async with app.app_context(), begin() as db:
        (await db.get_one(User, alice.id)).is_active = False
    assert not await is_signed_in(await signed_in(app, "alice@example.org"))


async def test_the_client_brings_the_token_of_its_forms(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    made = await client.post("/appointments/create/", form=FORM)
    assert made.status_code == 303
    path = made.location or ""
    saved = await client.post(f"{path}edit/", form=FORM | {"title": "Doctor"})
    assert (saved.status_code, saved.location) == (303, path)
    assert "Doctor" in await text(await client.get(path))
    deleted = await client.delete(f"{path}delete/")
    assert await deleted.get_json() == {"status": "OK"}
    assert (await client.get(path)).status_code == 404


async def test_the_token_comes_beside_other_headers_and_instead_of_none_given(
    app: Quart, alice: User
) -> None:
    client = await signed_in(app, "alice@example.org")
    headers = {"Accept": "application/json"}
    answer = await client.delete("/appointments/404/delete/", headers=headers)
    assert answer.status_code == 404
    assert headers == {"Accept": "application/json"}, "the caller's own are left alone"
    forged = await client.post("/appointments/create/", form=FORM, headers={HEADER: "made.up"})
    assert forged.status_code == 403


async def test_two_clients_are_independent(app: Quart, alice: User, mallory: User) -> None:
    first = await signed_in(app, "alice@example.org")
    second = await signed_in(app, "alice@example.org")
    other = await signed_in(app, "mallory@example.org")
    assert len({cookie(client) for client in (first, second, other)}) == 3
    assert (await first.post("/logout/")).status_code == 303
    assert [await is_signed_in(client) for client in (first, second, other)] == [False, True, True]
    assert "Alice" in await text(await second.get("/appointments/"))
    assert "Mallory" in await text(await other.get("/appointments/"))


async def test_a_fresh_client_is_nobody_inside_an_app_context_where_another_is_signed_in(
    app: Quart, alice: User, mallory: User
) -> None:
    """Quart-Auth keeps the user on ``g``, which such a context shares with its requests."""
    async with app.app_context():
        client = await signed_in(app, "alice@example.org")
        assert await is_signed_in(client)
        assert not await is_signed_in(app.test_client())
        other = await signed_in(app, "mallory@example.org")
        assert "Mallory" in await text(await other.get("/appointments/"))
        assert "Alice" in await text(await client.get("/appointments/"))
        assert not await is_signed_in(app.test_client())


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "https://localhost"])
async def test_it_works_whatever_the_public_address(settings: dict[str, Any], url: str) -> None:
    app = create_app(settings | {"PUBLIC_URL": url})
    async with app.test_app():
        async with app.app_context():
            await create_account(
                name="Ada", email="ada@example.org", password=ALICE_PASSWORD, timezone="UTC"
            )
        client = await signed_in(app, "ada@example.org")
        assert await is_signed_in(client)
        made = await client.post("/appointments/create/", form=FORM)
        assert made.status_code == 303
