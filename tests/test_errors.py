"""The page that every error ends in, and what a failure leaves behind: nothing."""

import functools
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest
from jinja2 import DictLoader
from quart import Quart, Response, abort, session
from quart.testing.connections import TestHTTPConnection

from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.database import db
from sched_async.models import User
from sched_async.testing import Client, signed_in

from .pages import cookie, text
from .rows import contents
from .security import assert_secured
from .tables import each

CODES = [400, 401, 403, 404, 405, 408, 413, 414, 415, 421, 422, 429, 500, 503]
AS_SCRIPT = [{"Accept": "application/json"}, {"Sec-Fetch-Dest": "empty"}]
PHRASES = {400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}
SENTENCE = re.compile(r"<p>([A-Z][^<]+\.)</p>\s*<p>([A-Z][^<]+\.)</p>")


@pytest.fixture
async def failing(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """An app with views that fail in every way."""
    app = create_app(settings)

    @app.route("/abort/<int:code>/", methods=["GET", "POST", "DELETE"])
    @public
    async def stop(code: int) -> str:
        abort(code)

    @app.route("/fail/", methods=["GET", "POST"])
    @public
    async def fail() -> str:
        session["spam"] = "eggs"
        db.add(User(name="Eve", email="eve@example.org", password_hash="", timezone="UTC"))
        await db.flush()
        raise RuntimeError("hunter2 in the message")

    @app.route("/own/")
    @public
    async def own() -> str:
        abort(Response("an answer of the view's own", 409))

    @app.route("/break/")
    @public
    async def break_off() -> Response:
        async def lines() -> AsyncIterator[bytes]:
            yield b"a line\n"
            raise RuntimeError("hunter2 in the message")

        return Response(lines())

    async with app.test_app():
        yield app


# The page


async def error_page(response: Response, code: int) -> tuple[str, str, str]:
    """Title, message and advice of an answer that is the error page of ``code``."""
    assert response.status_code == code
    assert_secured(response)
    assert response.content_type == "text/html; charset=utf-8"
    page = await text(response)
    assert f"Error {code} · ID {response.headers['X-Request-ID']}" in page
    assert 'class="button main" href="/appointments/"' in page, "a way on"
    title = re.search(r"<h1>([^<]+)</h1>", page)
    told = SENTENCE.search(page)
    assert title
    assert told
    assert f"<title>{title[1]} · sched</title>" in page
    return title[1], told[1], told[2]


async def test_each_error_has_a_page_of_its_own_that_says_what_to_do(failing: Quart) -> None:
    client = failing.test_client()
    pages = [await error_page(await client.get(f"/abort/{code}/"), code) for code in CODES]
    for column in zip(*pages, strict=True):
        assert len(set(column)) >= len(CODES) - 1
    assert len(set(pages)) == len(CODES)


@pytest.mark.parametrize(("code", "like"), [(406, 400), (410, 400), (501, 500), (504, 500)])
async def test_a_rare_error_has_the_page_of_its_kind(failing: Quart, code: int, like: int) -> None:
    client = failing.test_client()
    rare = await error_page(await client.get(f"/abort/{code}/"), code)
    assert rare == await error_page(await client.get(f"/abort/{like}/"), like)


@each("headers", AS_SCRIPT)
@each("code", CODES)
async def test_a_script_gets_the_same_as_json(
    failing: Quart, code: int, headers: dict[str, str]
) -> None:
    client = failing.test_client()
    response = await client.get(f"/abort/{code}/", headers=headers)
    assert (response.status_code, response.content_type) == (code, "application/json")
    assert_secured(response)
    answer = await response.get_json()
    assert answer["status"] == PHRASES.get(code, answer["status"])
    _, message, _ = await error_page(await client.get(f"/abort/{code}/"), code)
    assert answer.get("message", message) == message


async def test_delete_is_always_answered_as_json(failing: Quart) -> None:
    response = await Client(failing).delete("/abort/404/")
    assert response.status_code == 404
    assert await response.get_json() == {"status": "Not Found"}


@each(
    ("accept", "kind"),
    [
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
        ("image/png", "text/html"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
    ],
)
async def test_people_get_a_page_whatever_their_browser_accepts(
    failing: Quart, accept: str, kind: str
) -> None:
    response = await failing.test_client().get("/abort/404/", headers={"Accept": accept})
    assert response.mimetype == kind


async def test_an_address_without_its_last_slash_leads_to_the_right_one(failing: Quart) -> None:
    response = await failing.test_client().get("/login")
    assert (response.status_code, response.location) == (308, "http://localhost/login/")
    assert_secured(response)


async def test_the_page_of_somebody_signed_in_keeps_their_name(app: Quart, alice: User) -> None:
    client = await signed_in(app, "alice@example.org")
    page = await text(await client.get("/nowhere/"))
    assert "Alice" in page
    assert "Your appointments" in page


# Real requests that end there


async def test_a_body_that_does_not_arrive_is_waited_for_only_so_long(
    settings: dict[str, Any],
) -> None:
    app = create_app(settings)
    assert app.config["BODY_TIMEOUT"] == 10
    app.config["BODY_TIMEOUT"] = 0.05
    async with app.test_app():
        client = Client(app)
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "99"}
        async with client.request("/login/", method="POST", headers=headers) as connection:
            await connection.send(b"username=ali")
        await error_page(await cast(TestHTTPConnection, connection).as_response(), 408)


CANNOT_BE_RIGHT = each(
    ("code", "path", "given"),
    [
        (400, "/", {"scope_base": {"raw_path": b"/%zz"}}),
        (400, "/appointments/?page=1&page=2", {}),
        (403, "/login/", {"method": "POST"}),
        (404, "/nowhere/", {}),
        (404, "/static/nowhere.css", {}),
        (405, "/login/", {"method": "PUT"}),
        (413, "/login/", {"method": "POST", "form": {"password": "x" * 2**19}}),
        (414, f"/{'x' * 3000}", {}),
        (415, "/login/", {"method": "POST", "data": b"{}", "headers": {"Content-Length": "2"}}),
        (421, "/", {"headers": {"Host": "evil.example"}}),
    ],
)


@CANNOT_BE_RIGHT
async def test_a_request_that_cannot_be_right_ends_in_that_page(
    app: Quart, code: int, path: str, given: dict[str, Any]
) -> None:
    client = app.test_client()
    response = await client.open(path, **given)
    await error_page(response, code)
    assert ">Sign in</a>" in await text(response)


@CANNOT_BE_RIGHT
async def test_whoever_is_signed_in_is_so_on_every_error_page(
    app: Quart, hers: Client, code: int, path: str, given: dict[str, Any]
) -> None:
    """However early the request was stopped, and on public pages too."""
    response = await super(Client, hers).open(path, **given)
    await error_page(response, code)
    page = await text(response)
    assert 'action="/logout/"' in page
    assert ">Alice<" in page
    assert "Sign in" not in page


# What went wrong stays here


def is_generic(page: str) -> bool:
    inner = ("Traceback", "RuntimeError", "hunter2", "eve@example.org", "INSERT", "sched_async/")
    return not any(word in page for word in inner)


@pytest.mark.parametrize("headers", [{}, *AS_SCRIPT])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_view_that_fails_leaves_nothing_but_a_number(
    failing: Quart, caplog: pytest.LogCaptureFixture, method: str, headers: dict[str, str]
) -> None:
    client = Client(failing)
    assert await client.csrf_token(), "which is in the session"
    async with client.session_transaction() as before:
        before["spam"] = "ham"
    held = cookie(client, "sched_session")
    rows = await contents(failing)
    response = await client.open("/fail/", method=method, headers=headers)
    assert response.status_code >= 500
    assert_secured(response)
    assert is_generic(await text(response))
    assert "Set-Cookie" not in response.headers
    assert cookie(client, "sched_session") == held
    assert await contents(failing) == rows
    assert f"id={response.headers['X-Request-ID']} " in caplog.text


async def test_the_number_on_the_page_leads_to_the_trace_in_the_log(
    failing: Quart, caplog: pytest.LogCaptureFixture
) -> None:
    response = await Client(failing).post("/fail/", query_string={"q": "Dentist"})
    assert response.status_code == 500
    (record,) = (record for record in caplog.records if record.exc_info)
    assert record.levelno == logging.ERROR
    assert response.headers["X-Request-ID"] in record.getMessage()
    assert "Dentist" not in caplog.text
    assert record.exc_info
    assert isinstance(record.exc_info[1], RuntimeError)


async def test_a_failure_does_not_write_the_address_into_the_log(
    failing: Quart, caplog: pytest.LogCaptureFixture
) -> None:
    """The link for the first account is a secret."""
    failing.jinja_env.loader = DictLoader({})
    for path in ("/setup/not-for-the-log/", "/not-for-the-log/"):
        assert (await failing.test_client().get(path)).status_code == 500
    assert "not-for-the-log" not in caplog.text


async def test_whichever_view_fails_the_answer_is_the_same(
    app: Quart, alice: User, caplog: pytest.LogCaptureFixture
) -> None:
    """For every route there is: its view does its work, then fails."""

    def spoilt(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        async def then_fail(*given: Any, **named: Any) -> Any:
            raise RuntimeError("hunter2 in the message")

        return then_fail

    client = await signed_in(app, "alice@example.org")
    rows = await contents(app)
    for endpoint, view in app.view_functions.items():
        app.view_functions[endpoint] = spoilt(view)
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {"filename": "style.css", "token": "token", "act": "activate", "kind": "all"}
        values |= {"view": "month", "key": "2026-11"}
        numbers = ("act_id", "appointment_id", "calendar_id", "session_id", "user_id")
        values |= dict.fromkeys(numbers, "1")
        path = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
        for method in sorted((rule.methods or set()) - {"OPTIONS"}):
            response = await client.open(path, method=method)
            assert response.status_code == 500, (rule, method)
            assert_secured(response)
            assert is_generic(await text(response))
            assert "Set-Cookie" not in response.headers
    assert await contents(app) == rows


async def test_an_answer_of_a_views_own_is_left_as_it_is(failing: Quart) -> None:
    response = await failing.test_client().get("/own/")
    assert (response.status_code, await text(response)) == (409, "an answer of the view's own")


async def test_an_answer_that_breaks_off_is_cut_short_and_logged(
    failing: Quart, caplog: pytest.LogCaptureFixture
) -> None:
    response = await failing.test_client().get("/break/")
    assert await text(response) == "a line\n"
    assert response.headers["X-Request-ID"] in caplog.text
    assert "RuntimeError" in caplog.text


@pytest.mark.parametrize("path", ["/login/", "/nowhere/", "/fail/"])
async def test_even_without_its_templates_the_server_answers(failing: Quart, path: str) -> None:
    failing.jinja_env.loader = DictLoader({})
    response = await failing.test_client().get(path)
    assert response.status_code == 500
    assert_secured(response)
    assert await text(response) == (
        "Something went wrong. Nothing was changed; please try again.\n"
    )
    assert (await failing.test_client().get("/health/live")).status_code == 200
