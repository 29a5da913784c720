"""Login sessions: what a cookie is worth, and for how long."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest
from itsdangerous import TimestampSigner
from quart import Quart, Response, session, websocket
from quart.testing import WebsocketResponseError
from quart_auth import Unauthorized, generate_auth_token
from sqlalchemy import delete, select, update
from werkzeug.datastructures import Headers

from sched_async.accounts.admin.actions import act_on
from sched_async.accounts.renewals import RENEWED
from sched_async.accounts.sessions import (
    MOST,
    current_user,
    load_user,
    login_required,
    login_user,
    logout_user,
    public,
)
from sched_async.app import create_app
from sched_async.database import begin, db, reading
from sched_async.models import LoginSession, OneTimeToken, User
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..conftest import ALICE_PASSWORD
from ..pages import Browser, cookie, csrf_token, is_signed_in, log_in, text
from ..rows import all_rows
from ..tables import each
from .factors import SET_UP, Phone, shown_secret


async def age(app: Quart, **by: timedelta) -> None:
    """Make every login session older, as if the time had passed."""
    async with app.app_context(), begin() as database:
        for row in (await database.scalars(select(LoginSession))).all():
            for name, span in by.items():
                setattr(row, name, getattr(row, name) - span)


async def test_only_a_hash_of_the_token_is_kept(app: Quart, client: Browser, alice: User) -> None:
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    value = cookie(client)
    assert value
    (row,) = await all_rows(app, LoginSession)
    assert len(row.token_hash) == 64
    assert row.token_hash not in value


async def test_two_logins_in_the_same_second_have_different_tokens(app: Quart, alice: User) -> None:
    """ASVS 7.2.3."""
    clients = [app.test_client() for _ in range(3)]
    for client in clients:
        await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert len({cookie(client) for client in clients}) == 3
    assert len(await all_rows(app, LoginSession)) == 3


@pytest.mark.databases("sqlite", "postgresql")
async def test_two_logins_at_once_from_one_login_page_are_both_good(
    client: Browser, alice: User
) -> None:
    answers = await asyncio.gather(
        *(log_in(client, "alice@example.org", ALICE_PASSWORD) for _ in range(2))
    )
    assert [answer.status_code for answer in answers] == [303, 303]
    assert await is_signed_in(client)


async def test_a_planted_cookie_is_never_adopted(app: Quart, client: Browser, alice: User) -> None:
    """ASVS 7.2.4: a new token at each login."""
    async with app.app_context():
        planted = generate_auth_token(app.test_client(), "chosen by somebody else")
    client.set_cookie("localhost", "sched_login", planted)
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert cookie(client) != planted
    thief = app.test_client()
    thief.set_cookie("localhost", "sched_login", planted)
    assert not await is_signed_in(thief)


async def test_signing_in_again_ends_the_session_before(
    app: Quart, client: Browser, alice: User, mallory: User
) -> None:
    """Mallory's browser is handed to Alice, who signs in from a login page left open."""
    form = {"username": "alice@example.org", "password": ALICE_PASSWORD}
    form["csrf_token"] = await csrf_token(client)
    left_behind = cookie(await signed_in(app, "mallory@example.org"))
    assert left_behind
    client.set_cookie("localhost", "sched_login", left_behind)
    assert (await client.post("/login/", form=form)).status_code == 303
    thief = app.test_client()
    thief.set_cookie("localhost", "sched_login", left_behind)
    assert not await is_signed_in(thief)
    assert "Alice" in await text(await client.get("/appointments/"))


@each("value", ["", "junk", "a.b.c", "é\x7f", "x" * 8000, '{"user_id": 1}', "ImFiYyI.aaaa.bbbb"])
async def test_a_cookie_that_means_nothing_is_nobody(app: Quart, alice: User, value: str) -> None:
    client = app.test_client()
    response = await client.get(
        "/appointments/", headers={"Cookie": f"sched_login={value}; sched_session={value}"}
    )
    assert response.status_code == 303


async def test_cookies_that_come_in_a_header_each_are_counted_together(
    app: Quart, alice: User
) -> None:
    """As HTTP/2 allows; the test client sends them so."""
    client = await signed_in(app, "alice@example.org")
    value = cookie(client)
    assert value
    for other, status in (("something_else", 200), ("sched_login", 303)):
        browser = app.test_client(use_cookies=False)
        headers = Headers([("Cookie", f"{other}=planted"), ("Cookie", f"sched_login={value}")])
        response = await browser.get("/appointments/", headers=headers)
        assert response.status_code == status


async def test_a_cookie_signed_with_another_key_is_nobody(
    app: Quart, alice: User, settings: dict[str, Any]
) -> None:
    client = await signed_in(app, "alice@example.org")
    held = cookie(client) or ""
    key, app.secret_key = app.secret_key, "another " * 8
    try:
        assert not await is_signed_in(client)
        client.set_cookie("localhost", "sched_login", held)
        app.config["SECRET_KEY_FALLBACKS"] = [key]
        assert await is_signed_in(client), "a key that was rotated still counts"
    finally:
        app.secret_key = key


@pytest.mark.parametrize("planted", [[], ["sched_login=a.b.c"]])
async def test_cookies_may_come_in_several_headers(
    app: Quart, alice: User, planted: list[str]
) -> None:
    """As HTTP/2 sends them; of two with one name still neither is believed."""
    value = cookie(await signed_in(app, "alice@example.org"))
    sent = ["other=1", *planted, f"sched_login={value}"]
    headers = Headers([("Cookie", pair) for pair in sent])
    response = await app.test_client().get("/appointments/", headers=headers)
    assert response.status_code == (303 if planted else 200)


async def test_a_cookie_without_its_row_is_nobody_and_is_taken_away(
    app: Quart, alice: User
) -> None:
    client = await signed_in(app, "alice@example.org")
    assert await is_signed_in(client)
    async with app.app_context(), begin() as database:
        await database.execute(delete(LoginSession))
    assert not await is_signed_in(client)
    assert cookie(client) is None


async def test_deactivating_takes_effect_at_the_next_request(app: Quart, alice: User) -> None:
    """ASVS 7.4.2."""
    client = await signed_in(app, "alice@example.org")
    assert await is_signed_in(client)
    async with app.app_context(), begin() as database:
        await database.execute(update(User).values(is_active=False))
    assert not await is_signed_in(client)


async def test_a_session_ends_after_twelve_hours_without_use(app: Quart, alice: User) -> None:
    """ASVS 7.3.1."""
    client = await signed_in(app, "alice@example.org")
    await age(app, last_seen_at=timedelta(hours=11, minutes=59))
    assert await is_signed_in(client)
    await age(app, last_seen_at=timedelta(hours=12, seconds=1))
    assert not await is_signed_in(client)


async def test_a_session_ends_after_a_day_however_busy(app: Quart, alice: User) -> None:
    """ASVS 7.3.2."""
    client = await signed_in(app, "alice@example.org")
    await age(app, expires_at=timedelta(hours=23, minutes=59))
    assert await is_signed_in(client)
    await age(app, expires_at=timedelta(minutes=1))
    assert not await is_signed_in(client)


async def test_a_remembered_session_lasts_thirty_days(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org", remember=True)
    await age(app, last_seen_at=timedelta(days=29), expires_at=timedelta(days=29, hours=23))
    assert await is_signed_in(client)
    await age(app, expires_at=timedelta(hours=1))
    assert not await is_signed_in(client)


@pytest.mark.parametrize(("ticked", "lasting"), [({}, False), ({"remember": "y"}, True)])
async def test_the_cookie_outlives_the_browser_only_when_asked(
    client: Browser, alice: User, ticked: dict[str, str], lasting: bool
) -> None:
    response = await log_in(client, "alice@example.org", ALICE_PASSWORD, **ticked)
    (header,) = (
        value for value in response.headers.getlist("Set-Cookie") if value.startswith("sched_login")
    )
    assert ("Max-Age=2592000" in header) == lasting
    assert "HttpOnly" in header
    assert "SameSite=Lax" in header


@pytest.mark.databases("sqlite", "postgresql")
async def test_last_seen_is_noted_at_most_once_a_minute(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    (made,) = await all_rows(app, LoginSession)
    await is_signed_in(client)
    assert (await all_rows(app, LoginSession))[0].last_seen_at == made.last_seen_at
    for wrong in (timedelta(minutes=2), -timedelta(days=2)):  # that of a clock that was ahead
        await age(app, last_seen_at=wrong)
        await is_signed_in(client)
        await asyncio.gather(*app.background_tasks)
        seen = (await all_rows(app, LoginSession))[0].last_seen_at
        assert timedelta(0) <= seen - made.last_seen_at < timedelta(minutes=1)


@pytest.mark.databases("sqlite", "postgresql")
async def test_expired_sessions_are_cleared_away_at_the_next_login(
    app: Quart, client: Browser, alice: User
) -> None:
    await signed_in(app, "alice@example.org")
    await age(app, expires_at=timedelta(days=2))
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    assert len(await all_rows(app, LoginSession)) == 1


async def test_the_session_is_emptied_at_login_and_at_logout(
    app: Quart, client: Browser, alice: User
) -> None:
    async with client.session_transaction() as before:
        before["spam"] = "eggs"
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    async with client.session_transaction() as after:
        assert "spam" not in after


# The API, as a reader of the article uses it


@pytest.fixture
async def article(settings: dict[str, Any]) -> Any:
    """An app with a few views of its own, as someone who builds on this would add them."""
    app = create_app(settings)

    @app.route("/spam/<value>/")
    @public
    async def spam(value: str) -> str:
        before = session.get("spam", "nothing")
        session["spam"] = value
        return str(before)

    @app.route("/me/")
    @public
    async def me() -> dict[str, Any]:
        await load_user()
        return {
            "with await": await current_user.is_authenticated,
            "without": bool(current_user.is_authenticated),
            "anonymous": current_user.is_anonymous,
            "active": current_user.is_active,
            "id": current_user.get_id(),
        }

    @app.route("/secret/")
    @login_required
    async def secret() -> str:
        raise AssertionError("the view was called")

    @app.route("/fails/", methods=["POST"])
    @public
    async def fails() -> str:
        user = await db.scalar(select(User))
        assert user
        session["spam"] = "eggs"
        await login_user(user)
        raise RuntimeError

    @app.websocket("/ws/")
    async def ws() -> None:
        await websocket.send(current_user.name)

    async with app.test_app():
        yield app


async def test_what_is_put_in_the_session_is_there_at_the_next_request(article: Quart) -> None:
    client = article.test_client()
    assert await text(await client.get("/spam/eggs/")) == "nothing"
    assert await text(await client.get("/spam/ham/")) == "eggs"


async def test_current_user_answers_with_and_without_await(article: Quart) -> None:
    client = article.test_client()
    nobody = await (await client.get("/me/")).get_json()
    assert nobody == {
        "with await": False,
        "without": False,
        "anonymous": True,
        "active": False,
        "id": None,
    }
    async with article.app_context(), begin() as database:
        user = User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC")
        database.add(user)
    somebody = await (await (await signed_in(article, "ada@example.org")).get("/me/")).get_json()
    assert somebody == {
        "with await": True,
        "without": True,
        "anonymous": False,
        "active": True,
        "id": str(user.id),
    }


async def test_login_required_does_not_call_the_view(article: Quart) -> None:
    response = await article.test_client().get("/secret/")
    assert (response.status_code, response.location) == (303, "/login/?next=/secret/")


@pytest.mark.parametrize(
    "headers",
    [{"Accept": "application/json"}, {"Sec-Fetch-Dest": "empty"}],
)
async def test_a_script_gets_401_as_json(article: Quart, headers: dict[str, str]) -> None:
    response = await article.test_client().get("/secret/", headers=headers)
    assert response.status_code == 401
    assert (await response.get_json())["status"] == "Unauthorized"


async def test_a_websocket_is_private_too(article: Quart, caplog: Any) -> None:
    with pytest.raises(WebsocketResponseError) as refused:
        async with article.test_client().websocket("/ws/") as stranger:
            await stranger.receive()
    assert refused.value.response.status_code == 401
    async with article.app_context(), begin() as database:
        database.add(User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC"))
    client = await signed_in(article, "ada@example.org")
    async with client.websocket("/ws/") as ada:
        assert await ada.receive() == "Ada"


async def test_a_login_that_ends_in_an_error_signs_nobody_in(article: Quart) -> None:
    async with article.app_context(), begin() as database:
        database.add(User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC"))
    response = await Client(article).post("/fails/")
    assert response.status_code == 500
    assert "Set-Cookie" not in response.headers
    assert await all_rows(article, LoginSession) == []


async def test_a_fresh_client_is_nobody_inside_an_app_context_where_another_is_signed_in(
    app: Quart, alice: User
) -> None:
    async with app.app_context():
        client = await signed_in(app, "alice@example.org")
        assert await is_signed_in(client)
        assert not await is_signed_in(app.test_client())


async def test_nobody_has_no_user_id_to_start_a_query_with(app: Quart) -> None:
    async with app.test_request_context("/"):
        assert not current_user.is_authenticated
        with pytest.raises(Unauthorized):
            _ = current_user.user_id
        await logout_user()


@pytest.mark.databases("sqlite", "postgresql")
async def test_a_request_that_was_under_way_changes_nothing_once_its_session_has_ended(
    app: Quart, client: Browser, alice: User
) -> None:
    """ASVS 7.4.1: else whoever is evicted could still set up a second factor of their own."""
    evicted = await signed_in(app, alice.email)
    body = f"code={Phone(await shown_secret(evicted)).code()}".encode()
    headers = {
        "Cookie": "; ".join(f"{kept.name}={kept.value}" for kept in evicted.cookie_jar or ()),
        "X-CSRF-Token": await csrf_token(evicted, SET_UP),
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
    }
    async with client.request(SET_UP, method="POST", headers=headers) as connection:
        await connection.send(body[:3])
        await asyncio.sleep(0.3)  # by now the app knows who asks, and waits for the form
        async with app.app_context():
            await act_on(alice.email, "sign-out")
        await connection.send(body[3:])
        await connection.send_complete()
    assert (await connection.as_response()).status_code == 303
    async with app.app_context(), reading() as db:
        assert (await db.get_one(User, alice.id)).totp_secret is None


async def test_the_session_that_was_not_used_for_longest_makes_room(
    app: Quart, alice: User
) -> None:
    first = await signed_in(app, alice.email)
    for _ in range(MOST - 1):
        await signed_in(app, alice.email)
    async with app.app_context(), begin() as db:
        rows = list(await db.scalars(select(LoginSession).order_by(LoginSession.id)))
        for row in rows[1:]:
            row.last_seen_at -= timedelta(minutes=row.id)
    assert (await log_in(app.test_client(), alice.email, ALICE_PASSWORD)).status_code == 303
    async with app.app_context(), reading() as db:
        left = set(await db.scalars(select(LoginSession.id)))
    assert (await first.get("/appointments/")).status_code == 200
    assert {row.id for row in rows} - left == {rows[-1].id}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Accept": "*/*"}, 401),
        ({"Accept": "application/json"}, 401),
        ({"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, 303),
        ({"Accept": "*/*", "Sec-Fetch-Dest": "document"}, 303),
        ({"Accept": "text/html", "Sec-Fetch-Dest": "empty"}, 401),
    ],
    ids=str,
)
async def test_without_a_sign_in_scripts_are_told_and_browsers_are_led(
    client: Browser, headers: dict[str, str], status: int
) -> None:
    answer = await client.get("/appointments/", headers=headers)
    assert answer.status_code == status
    assert (answer.mimetype == "application/json") == (status == 401)
    if status == 401:
        assert "Set-Cookie" not in answer.headers, "no message waits for a page"


AHEAD = [2, 60, 3600]


@each("seconds", AHEAD)
async def test_cookies_of_a_clock_that_is_ahead_count_like_any_others(
    app: Quart, alice: User, seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another node's, or of our own before it was set right: neither signs anybody out."""
    client = app.test_client()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) + seconds)
        token = await csrf_token(client)
        lasting = await signed_in(app, "alice@example.org", remember=True)
    form = {"username": "alice@example.org", "password": ALICE_PASSWORD, "csrf_token": token}
    assert (await client.post("/login/", form=form)).status_code == 303, "its forms can be sent"
    assert await is_signed_in(lasting)
    assert cookie(lasting)


async def test_an_old_signature_ends_nothing_that_its_row_does_not(
    app: Quart, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But a session of Quart's, which has no row, ends after a month."""
    client = app.test_client()
    with monkeypatch.context() as before:
        before.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - 40 * 86_400)
        token = await csrf_token(client)
        lasting = await signed_in(app, "alice@example.org", remember=True)
    assert await is_signed_in(lasting)
    await age(app, expires_at=timedelta(days=30))
    assert not await is_signed_in(lasting)
    form = {"username": "alice@example.org", "password": ALICE_PASSWORD, "csrf_token": token}
    assert (await client.post("/login/", form=form)).status_code == 403


def login_cookies(answer: Response) -> list[str]:
    """What an answer does to the cookie."""
    sent = answer.headers.getlist("Set-Cookie")
    return [value for value in sent if value.startswith("sched_login=")]


NEW_PASSWORD = "seven quiet otters in a lift"
RENEWING = [
    ("/confirm/", {"password": ALICE_PASSWORD}),
    ("/login/", {"username": "alice@example.org", "password": ALICE_PASSWORD}),
    (
        "/account/password/",
        {
            "current_password": ALICE_PASSWORD,
            "password": NEW_PASSWORD,
            "password_again": NEW_PASSWORD,
        },
    ),
]


@each(("path", "form"), RENEWING)
async def test_the_second_of_a_double_click_leaves_the_cookie_that_the_first_has_set(
    app: Quart, alice: User, path: str, form: dict[str, str]
) -> None:
    first, second = await signed_in(app, alice.email), Client(app)
    second.set_cookie("localhost", "sched_login", cookie(first) or "")
    assert len(login_cookies(await first.post(path, form=form))) == 1
    other = await second.get("/appointments/")
    assert (other.status_code, login_cookies(other)) == (303, []), "or whatever was under way"
    assert login_cookies(await second.get("/nowhere/")) == []
    if path != "/login/":
        twin = await second.post(path, form=form)
        assert (twin.status_code, login_cookies(twin)) == (303, [])
        assert "Set-Cookie" not in twin.headers, "what the first has to say is left as well"
        led = await first.get(twin.location or "")
        assert (led.status_code, led.location) == (303, path), "it is signed in by then"
    assert await is_signed_in(first)
    async with app.app_context(), begin() as database:
        renewed = OneTimeToken.purpose == RENEWED
        await database.execute(update(OneTimeToken).where(renewed).values(expires_at=now()))
    assert not await is_signed_in(second)
    assert cookie(second) is None, "later on it is taken away as ever"


@pytest.mark.databases("sqlite", "postgresql")
async def test_of_a_double_click_that_is_judged_at_once_neither_takes_the_cookie_away(
    app: Quart, alice: User
) -> None:
    clients = [await signed_in(app, alice.email), Client(app)]
    clients[1].set_cookie("localhost", "sched_login", cookie(clients[0]) or "")
    form = {"password": ALICE_PASSWORD}
    both = [client.post("/confirm/", form=form) for client in clients]
    assert [answer.status_code for answer in await asyncio.gather(*both)] == [303, 303]
    signed = [await is_signed_in(client) for client in clients]
    assert any(signed)
    assert all(cookie(client) for client in clients)
