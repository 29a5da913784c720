"""The headers of every answer, and its cookies."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from quart import Quart, Response, flash, make_response
from werkzeug.http import parse_cookie

from sched_async.accounts.registration.rules import create_account
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD
from ..pages import Browser, cookie, csrf_token, text
from ..tables import each
from . import assert_secured

FORM = {"title": "Dentist", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
HTTPS = "https://localhost"
ANSWERS: list[tuple[str, str, dict[str, Any], int]] = [
    ("GET", "/login/", {}, 200),
    ("HEAD", "/login/", {}, 200),
    ("OPTIONS", "/login/", {}, 200),
    ("GET", "/health/ready", {}, 200),
    ("GET", "/static/style.css", {}, 200),
    ("GET", "/static/sched.mjs", {"headers": {"Range": "bytes=0-9"}}, 206),
    ("GET", "/", {}, 303),
    ("GET", "/appointments/", {}, 303),
    ("GET", "/static/style.css", {"headers": {"If-Modified-Since": "now"}}, 304),
    ("GET", "/login", {}, 308),
    ("GET", "/login/?a=1&a=2", {}, 400),
    ("GET", "/appointments/", {"headers": {"Accept": "application/json"}}, 401),
    ("POST", "/login/", {"headers": {"X-CSRF-Token": "made.up"}}, 403),
    ("GET", "/nowhere/", {}, 404),
    ("GET", "/static/nothing.css", {}, 404),
    ("GET", "/setup/nothing/", {}, 404),
    ("DELETE", "/login/", {}, 405),
    ("POST", "/login/", {"form": {"password": "x" * 2**18}}, 413),
    ("GET", f"/{'x' * 3000}", {}, 414),
    ("POST", "/login/", {"data": b"{}", "headers": {"Content-Length": "2"}}, 415),
    ("GET", "/", {"headers": {"Host": "evil.example"}}, 421),
    ("POST", "/login/", {"form": {}}, 422),
    ("GET", "/fail/", {}, 500),
]
EACH = each(("method", "path", "given", "status"), ANSWERS)


@pytest.fixture(params=["http://localhost", HTTPS])
async def app(request: pytest.FixtureRequest, settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """The app on http and on https, with a few views that do what they should not."""
    app = create_app(settings | {"PUBLIC_URL": request.param})

    @app.route("/fail/")
    @public
    async def fail() -> str:
        raise RuntimeError

    @app.route("/chatter/<int:length>/")
    @public
    async def chatter(length: int) -> str:
        await flash(secrets.token_urlsafe(length))  # which no compression makes shorter
        return "told"

    @app.route("/script/<name>/")
    @public
    async def script(name: str) -> dict[str, str]:
        await flash(f"Done by script: {name}.")
        return {"status": "OK"}

    @app.route("/own/")
    @public
    async def own() -> Response:
        response = await make_response("a view's own")
        assert isinstance(response, Response)
        response.headers["Cache-Control"] = "private, max-age=60"
        response.headers["Vary"] = "Accept, Cookie"
        response.headers["Content-Security-Policy"] = "sandbox"
        return response

    async with app.test_app():
        yield app


only_http = pytest.mark.parametrize("app", ["http://localhost"], indirect=True)
only_https = pytest.mark.parametrize("app", [HTTPS], indirect=True)


async def ask(app: Quart, method: str, path: str, given: dict[str, Any]) -> Response:
    client = Client(app)
    if "If-Modified-Since" in given.get("headers", {}):
        fresh = await client.get(path)
        given = {"headers": {"If-Modified-Since": fresh.headers["Last-Modified"]}}
    response: Response = await client.open(path, method=method, **given)
    return response


# On every answer


@EACH
async def test_every_answer_has_every_header(
    app: Quart, method: str, path: str, given: dict[str, Any], status: int
) -> None:
    response = await ask(app, method, path, given)
    assert response.status_code == status
    assert_secured(response)
    secure = "Strict-Transport-Security"
    assert (secure in response.headers) == app.config["PUBLIC_URL"].is_https
    assert response.headers.get(secure, "max-age=63072000") == "max-age=63072000"
    assert "Cookie" in response.headers["Vary"]


@EACH
async def test_only_our_own_files_are_kept_by_anyone(
    app: Quart, method: str, path: str, given: dict[str, Any], status: int
) -> None:
    response = await ask(app, method, path, given)
    kept = path.startswith("/static/") and status < 400
    (policy,) = response.headers.getlist("Cache-Control")
    assert ("max-age=31536000" in policy) == kept
    assert (policy == "no-store") == (not kept)


async def test_pages_of_somebody_signed_in_are_kept_by_nobody(app: Quart) -> None:
    """ASVS 14.3.2: Back after signing out asks again."""
    client = await somebody(app)
    for path in ("/appointments/", "/appointments/create/", "/logout/", "/nowhere/"):
        response = await client.get(path)
        assert response.headers.getlist("Cache-Control") == ["no-store"]
        assert response.headers.getlist("Vary") == ["Cookie"]
        assert_secured(response)


async def somebody(app: Quart) -> Client:
    async with app.app_context():
        await create_account(
            name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
        )
    return await signed_in(app, "alice@example.org")


async def test_what_a_view_sets_itself_is_left_alone(app: Quart) -> None:
    response = await app.test_client().get("/own/")
    assert response.headers.getlist("Cache-Control") == ["private, max-age=60"]
    assert response.headers.getlist("Vary") == ["Accept, Cookie"]
    assert response.headers.getlist("Content-Security-Policy") == ["sandbox"]
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_each_request_has_a_number_of_its_own_whatever_is_sent(client: Browser) -> None:
    sent = {"X-Request-ID": "0123456789abcdef"}
    answers = [await client.get("/login/", headers=sent) for _ in range(20)]
    numbers = {answer.headers["X-Request-ID"] for answer in answers}
    assert len(numbers - set(sent.values())) == 20


# Cookies


async def all_cookies(app: Quart) -> list[str]:
    """Every Set-Cookie of a visit: refused, signed in for a month, working, signed out."""
    await somebody(app)
    client = app.test_client()
    token = await csrf_token(client)
    form = {"username": "alice@example.org", "password": ALICE_PASSWORD, "remember": "y"}
    answers = [await client.get("/appointments/"), await client.get("/login/")]
    answers.append(await client.post("/login/", form=form | {"csrf_token": token}))
    token = await csrf_token(client, "/appointments/create/")
    answers.append(await client.post("/appointments/create/", form=FORM | {"csrf_token": token}))
    answers.append(await client.post("/logout/", form={"csrf_token": token}))
    answers.append(await client.get("/login/"))
    assert [answer.status_code for answer in answers] == [303, 200, 303, 303, 303, 200]
    return [value for answer in answers for value in answer.headers.getlist("Set-Cookie")]


def attributes(header: str) -> set[str]:
    return {part.strip().partition("=")[0] for part in header.split(";")[1:]}


async def test_every_cookie_is_for_this_site_and_out_of_scripts_reach(app: Quart) -> None:
    """ASVS 3.3.1 to 3.3.4; on plain http a browser would refuse what is Secure."""
    secure = app.config["PUBLIC_URL"].is_https
    names = set()
    for header in await all_cookies(app):
        name = header.partition("=")[0]
        names.add(name.removeprefix("__Host-"))
        assert name.startswith("__Host-") == secure
        assert ("Secure" in attributes(header)) == secure
        assert "HttpOnly" in attributes(header) or "Max-Age=0" in header
        assert "SameSite=Lax" in header
        assert "Path=/;" in f"{header};"
        assert "Domain" not in attributes(header)
    assert names == {"sched_device", "sched_login", "sched_session"}


async def test_the_login_cookie_is_nowhere_but_in_its_header(
    app: Quart, caplog: pytest.LogCaptureFixture
) -> None:
    client = await somebody(app)
    (value,) = (item.value for item in client.cookie_jar or () if "login" in item.name)
    assert value
    for path in ("/appointments/", "/appointments/create/", "/logout/", "/nowhere/"):
        response = await client.get(path)
        assert value not in await text(response)
        assert value not in str(response.headers)
    assert value not in caplog.text


@pytest.mark.parametrize(("messages", "length"), [(60, 30), (10, 1000), (1, 6000)])
async def test_no_cookie_grows_beyond_what_browsers_keep(
    app: Quart, messages: int, length: int
) -> None:
    """ASVS 3.3.5: however much there is to tell."""
    client = app.test_client()
    for _ in range(messages):
        response = await client.get(f"/chatter/{length}/")
        assert response.status_code == 200
        for header in response.headers.getlist("Set-Cookie"):
            pair = header.partition(";")[0]
            assert len(pair.encode()) <= 4096
            assert parse_cookie(pair)
    page = await text(await client.get("/login/"))
    assert 'class="flash' in page or length > 4096, "the newest is still told"


@only_http
async def test_a_script_piles_up_nothing_for_the_next_page_to_say(app: Quart) -> None:
    client = await somebody(app)
    await client.get("/chatter/30/")
    for number in range(60):
        await client.post("/account/profile/", form={"name": "Alice", "timezone": "UTC"})
        await client.get(f"/script/{number}/")
    page = await text(await client.get("/appointments/"))
    assert "Done by script" not in page, "its answer was JSON"
    assert page.count("Saved.") == 1
    assert page.count('class="flash') == 2, "what was there before is still said"
    for _ in range(60):
        await client.get("/chatter/30/")
    assert (await text(await client.get("/appointments/"))).count('class="flash') == 5


@only_http
async def test_somebody_who_only_ever_posts_is_served_for_ever(app: Quart) -> None:
    client = await somebody(app)
    for _ in range(60):
        title = secrets.token_urlsafe(150)
        made = await client.post("/appointments/create/", form=FORM | {"title": title})
        assert made.status_code == 303
        deleted = await client.delete(f"{made.location}delete/")
        assert deleted.status_code == 200
    assert len(cookie(client, "sched_session") or "") <= 4096
    assert (await client.get("/appointments/")).status_code == 200


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("hsts", "said"),
    [
        ("host", "max-age=63072000"),
        ("subdomains", "max-age=63072000; includeSubDomains"),
        ("off", None),
    ],
)
async def test_the_operator_says_for_whom_https_is_a_must(
    settings: dict[str, Any], hsts: str, said: str | None
) -> None:
    app = create_app(settings | {"PUBLIC_URL": HTTPS, "HSTS": hsts})
    async with app.test_app():
        response = await app.test_client().get("/login/")
    assert response.headers.get("Strict-Transport-Security") == said
