"""Bad inputs and their answers: never a 5xx, nothing stored, every header there.

The comments number the rows of the list of bad inputs that these tests follow.
"""

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote, urlencode

import pytest
import time_machine
from quart import Quart, Response, request
from quart_auth import generate_auth_token
from sqlalchemy import select

from sched_async.accounts.registration.rules import create_account, setup_link
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.models import Appointment, LoginSession, User
from sched_async.testing import Client, signed_in

from ..appointments import add, instants, timed
from ..conftest import ALICE_PASSWORD
from ..pages import cookie, text
from ..rows import all_rows, contents
from ..servers import WebServer, hypercorn_server
from ..tables import each, shown
from . import REQUEST_ID, assert_secured, refused, same_for_all

WRONG = "Incorrect username or password."
LOGIN = "/login/"
CREATE = "/appointments/create/"
URLENCODED = "application/x-www-form-urlencoded"
JSON = "application/json"
DENTIST = {
    "title": "Dentist",
    "start": "2030-05-06T09:00",
    "end": "2030-05-06T10:00",
    "timezone": "Europe/Berlin",
}
RIGHT = {"username": "alice@example.org", "password": ALICE_PASSWORD}


@pytest.fixture
def stranger(app: Quart) -> Client:
    """Nobody, but with a valid CSRF token, so that it is not the token that refuses."""
    return Client(app)


@pytest.fixture
async def dentist(app: Quart, alice: User) -> Appointment:
    """Alice's."""
    await add(app, alice, timed("Dentist", "2030-05-06T09:00"))
    (appointment,) = await all_rows(app, Appointment)
    return appointment


def body(data: bytes, kind: str, *, chunked: bool = False) -> dict[str, Any]:
    """A body for the test client, framed as browsers (or curl, in chunks) frame it."""
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(data)))
    return {"data": data, "headers": dict([framing, ("Content-Type", kind)])}


def target(path: str, *, host: bytes = b"localhost", **more: Any) -> dict[str, Any]:
    """A request line as it is on the wire, past the test client, which would mend it."""
    raw, _, query = path.encode("latin1").partition(b"?")
    scope = {
        "raw_path": raw,
        "path": unquote(raw.decode("latin1")),
        "query_string": query,
        "headers": [(b"host", host)],
    }
    return {"scope_base": scope | more}


# The login form


@each(
    "form",
    [
        {},
        {"username": "", "password": ""},
        {"username": "alice@example.org"},
        {"password": ALICE_PASSWORD},
        {"username": "alice@example.org", "password": ""},
        {"username": "", "password": ALICE_PASSWORD},
    ],
)
async def test_an_empty_or_missing_login_field_gets_the_form_again(
    stranger: Client, alice: User, form: dict[str, str]
) -> None:
    """Row 1."""
    response = await refused(stranger, LOGIN, form=form)
    assert response.status_code == 422
    assert WRONG in await text(response)
    assert cookie(stranger) is None


@each("chunked", [False, True])
async def test_a_password_of_a_mebibyte_is_too_much(stranger: Client, chunked: bool) -> None:
    """Row 2."""
    data = urlencode(RIGHT | {"password": "x" * 2**20}).encode()
    response = await refused(stranger, LOGIN, **body(data, URLENCODED, chunked=chunked))
    assert response.status_code == 413


async def test_a_password_over_the_limit_is_refused_without_hashing_it(
    app: Quart, stranger: Client
) -> None:
    """Row 2: nobody can make the server hash as much text as they like."""
    response = await refused(stranger, LOGIN, form=RIGHT | {"password": "x" * 1025})
    assert response.status_code == 422
    assert WRONG in await text(response)
    assert "hashing" not in app.extensions, "no thread has been asked to hash anything"


@each(
    "username",
    [
        "alice\0@example.org",
        "alice@example.org\r\nX: y",
        "alice\n@example.org",
        "a" * 300,
        "alice\u202e@example.org",
    ],
)
async def test_a_user_name_that_cannot_be_one_gets_the_same_sentence(
    stranger: Client, alice: User, caplog: pytest.LogCaptureFixture, username: str
) -> None:
    """Row 3: and what is logged stays on its line."""
    caplog.clear()
    response = await refused(stranger, LOGIN, form=RIGHT | {"username": username})
    assert WRONG in await text(response)
    assert username not in caplog.text
    assert all("\n" not in record.getMessage() for record in caplog.records)
    assert response.status_code == 422


async def test_an_unknown_user_and_a_wrong_password_get_identical_answers(
    app: Quart, alice: User
) -> None:
    """Row 4."""
    answers = []
    for username, password in (
        ("alice@example.org", "not this one either"),
        ("nobdy@example.org", ALICE_PASSWORD),
    ):
        form = {"username": username, "password": password}
        response = await refused(Client(app), LOGIN, form=form)
        assert response.status_code == 401
        page = (await same_for_all(response)).replace(username, "")
        ours = ("x-request-id", "content-length")
        headers = [pair for pair in response.headers.items() if pair[0].lower() not in ours]
        answers.append((page, sorted(headers)))
    assert WRONG in answers[0][0]
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "/\\evil.example", "javascript:alert(1)", "https:evil.example"]
)
async def test_signing_in_never_leads_to_another_site(
    stranger: Client, alice: User, wanted: str
) -> None:
    """Row 5."""
    response = await stranger.post(LOGIN, form=RIGHT | {"next": wanted})
    assert (response.status_code, response.location) == (303, "/appointments/")
    assert_secured(response)


@pytest.mark.databases("sqlite", "postgresql")
async def test_two_logins_at_once_in_one_browser_are_two_sessions(app: Quart, alice: User) -> None:
    """Row 7."""
    first = Client(app)
    async with first.session_transaction() as session:
        session["csrf"] = "the same for both"
    browsers = [first, Client(app)]
    browsers[1].set_cookie("localhost", "sched_session", cookie(first, "sched_session") or "")
    answers = await asyncio.gather(*(browser.post(LOGIN, form=RIGHT) for browser in browsers))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len({cookie(browser) for browser in browsers}) == 2
    for browser in browsers:
        assert (await browser.get("/appointments/")).status_code == 200
    async with app.app_context(), reading() as db:
        assert len((await db.scalars(select(LoginSession))).all()) == 2


# Bodies


@each("field", ["title", "start", "end", "timezone", "location", "description", "submission"])
@each("char", ["\0", "\x1b", "\x85"])
async def test_a_control_character_in_a_text_is_refused(
    hers: Client, field: str, char: str
) -> None:
    """Row 8."""
    value = DENTIST.get(field, "text")
    response = await refused(hers, CREATE, form=DENTIST | {field: f"{value[:1]}{char}{value[1:]}"})
    assert response.status_code == 422


@each(
    "data",
    [
        b"title=%ff",
        b"title=\xff",
        b"title=%ed%a0%80",
        b"title=\xed\xa0\x80",
        b"%ff=title",
        b"title=%c3",
        "title=Zähne".encode("utf-16"),
    ],
)
async def test_a_form_that_is_not_utf_8_is_not_read(hers: Client, data: bytes) -> None:
    """Row 9."""
    rest = urlencode({name: DENTIST[name] for name in ("start", "end")}).encode()
    response = await refused(hers, CREATE, **body(data + b"&" + rest, URLENCODED))
    assert response.status_code == 400


@each("name", [b'"title"', b'"\xff"'])
async def test_a_multipart_form_that_is_not_utf_8_is_not_read(hers: Client, name: bytes) -> None:
    """Row 9."""
    part = b"--X\r\nContent-Disposition: form-data; name=" + name + b"\r\n\r\n\xff\r\n--X--\r\n"
    response = await refused(hers, CREATE, **body(part, "multipart/form-data; boundary=X"))
    assert response.status_code == 400


@each("chunked", [False, True])
@each(
    ("data", "kind"),
    [
        pytest.param(b'{"title": "\xff"}', JSON, id="10, not UTF-8"),
        pytest.param(json.dumps(DENTIST).encode("utf-16"), JSON, id="10, UTF-16"),
        pytest.param(rb'{"title": "\ud800"}', JSON, id="11, half a character"),
        pytest.param(b"[1]", JSON, id="12, a list"),
        pytest.param(b"null", JSON, id="12, null"),
        pytest.param(b'"text"', JSON, id="12, a text"),
        pytest.param(b"1", JSON, id="12, a number"),
        pytest.param(b"[" * 30_000, JSON, id="13, deep"),
        pytest.param(b"[" * 100_000, JSON, id="13, deep and long"),
        pytest.param(b'{"title": NaN}', JSON, id="14, NaN"),
        pytest.param(b'{"title": -Infinity}', JSON, id="14, infinity"),
        pytest.param(b'{"title": ' + b"9" * 5000 + b"}", JSON, id="14, 5000 digits"),
        pytest.param(b'{"title": {"a": ["b"]}}', JSON, id="15, an object for a text"),
        pytest.param(b'{"title": "a", "title": "b"}', JSON, id="16, the same key twice"),
        pytest.param(json.dumps(DENTIST).encode(), JSON, id="right, if JSON were taken"),
        pytest.param(json.dumps(DENTIST).encode(), "application/ld+json", id="JSON, specially"),
        pytest.param(json.dumps(DENTIST).encode(), "text/plain", id="17, text/plain"),
        pytest.param(urlencode(DENTIST).encode(), "text/plain", id="17, a form as text/plain"),
        pytest.param(urlencode(DENTIST).encode(), "", id="17, no type"),
        pytest.param(b"<a/>", "application/xml", id="XML"),
    ],
)
async def test_a_body_that_is_no_form_is_not_taken(
    hers: Client, data: bytes, kind: str, chunked: bool
) -> None:
    """Rows 10 to 17: no address takes JSON, so whatever is in it, the answer is 415."""
    response = await refused(hers, CREATE, **body(data, kind, chunked=chunked))
    assert response.status_code == 415


@each("chunked", [False, True])
async def test_no_route_takes_json(
    app: Quart, hers: Client, dentist: Appointment, chunked: bool
) -> None:
    """Rows 10 to 17, for every route and method there is; nothing changes by any of them."""
    before = await contents(app)
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values: dict[str, Any] = {"filename": "none.css", "token": "none"}
        values |= {"view": "month", "key": "2026-11"}
        wanted = {name: values.get(name, dentist.id) for name in rule.arguments}
        for method in sorted(rule.methods or ()):
            path = adapter.build(rule.endpoint, wanted)
            given = body(b'{"a": 1}', JSON, chunked=chunked)
            response = await hers.open(path, method=method, **given)
            assert response.status_code == 415, (rule, method)
            assert_secured(response)
    assert await contents(app) == before


@each("kind", [URLENCODED, "", JSON])
async def test_an_empty_body_is_an_empty_form(hers: Client, kind: str) -> None:
    """Row 18: where there is no body there is no type to refuse; every field is missing."""
    response = await refused(hers, CREATE, **body(b"", kind))
    assert response.status_code == 422
    assert "This field is required." in await text(response)


@each("name", ["role", "id", "owner", "user_id", "is_active", "start_utc", ""])
async def test_a_field_that_the_form_does_not_have_is_refused(
    app: Quart, hers: Client, stranger: Client, dentist: Appointment, name: str
) -> None:
    """Row 19."""
    for client, path, form in (
        (stranger, LOGIN, RIGHT),
        (hers, CREATE, DENTIST),
        (hers, f"/appointments/{dentist.id}/edit/", DENTIST | {"title": "Changed"}),
    ):
        response = await refused(client, path, form={**form, name: "1"})
        assert response.status_code == 422, path


@pytest.mark.parametrize("changed", [{"role": "admin"}, {"is_active": ""}, {"id": "7"}])
async def test_the_first_account_has_no_more_fields_than_the_form(
    app: Quart, stranger: Client, changed: dict[str, str]
) -> None:
    """Row 19."""
    async with app.app_context():
        link = await setup_link()
    form = {"name": "Alice", "email": "alice@example.org", "timezone": "Europe/Berlin"}
    form |= {"password": ALICE_PASSWORD, "password_again": ALICE_PASSWORD} | changed
    path = (link or "").removeprefix("http://localhost")
    assert (await refused(stranger, path, form=form)).status_code == 422


def part(name: str, value: str) -> bytes:
    return f'--X\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


WHOLE = b"".join(part(name, value) for name, value in DENTIST.items()) + b"--X--\r\n"


async def test_a_multipart_form_is_taken(hers: Client) -> None:
    """So what the next tests refuse is refused for its own fault."""
    response = await hers.post(CREATE, **body(WHOLE, "multipart/form-data; boundary=X"))
    assert response.status_code == 303


@each(
    ("data", "kind"),
    [
        pytest.param(WHOLE, "multipart/form-data", id="no boundary"),
        pytest.param(WHOLE, "multipart/form-data; boundary=", id="empty boundary"),
        pytest.param(WHOLE, "multipart/form-data; boundary=Y", id="another boundary"),
        pytest.param(WHOLE, "multipart/form-data; boundary=é", id="boundary not ASCII"),
        pytest.param(WHOLE[:-8], "multipart/form-data; boundary=X", id="cut before the end"),
        pytest.param(WHOLE[:100], "multipart/form-data; boundary=X", id="cut in a part"),
        pytest.param(WHOLE[:20], "multipart/form-data; boundary=X", id="cut in a head"),
        pytest.param(WHOLE[:2], "multipart/form-data; boundary=X", id="cut in the boundary"),
        pytest.param(
            b'--X\r\nContent-Disposition: form-data; name="title"; filename="a"\r\n\r\n1\r\n--X--',
            "multipart/form-data; boundary=X",
            id="a file",
        ),
        pytest.param(
            b"--X\r\nContent-Disposition: form-data\r\n\r\n1\r\n--X--\r\n",
            "multipart/form-data; boundary=X",
            id="a part without a name",
        ),
        pytest.param(
            b"--X\r\nA: b\r\n\r\n1\r\n--X--\r\n",
            "multipart/form-data; boundary=X",
            id="a part that says nothing of itself",
        ),
        pytest.param(
            b"--X\r\nno colon\r\n\r\n1\r\n--X--\r\n",
            "multipart/form-data; boundary=X",
            id="a part with a broken head",
        ),
    ],
)
async def test_a_broken_multipart_form_is_not_read(hers: Client, data: bytes, kind: str) -> None:
    """Row 20."""
    response = await refused(hers, CREATE, **body(data, kind))
    assert response.status_code == 400


@each(
    ("data", "kind"),
    [
        pytest.param(
            b"".join(part(f"f{number}", "") for number in range(count)) + b"--X--\r\n",
            "multipart/form-data; boundary=X",
            id=f"{count} parts",
        )
        for count in (51, 1100)
    ]
    + [
        pytest.param(
            "&".join(f"f{number}=" for number in range(count)).encode(),
            URLENCODED,
            id=f"{count} fields",
        )
        for count in (51, 1100, 100_000)
    ],
)
@each("chunked", [False, True])
async def test_a_form_of_too_many_fields_is_too_much(
    hers: Client, data: bytes, kind: str, chunked: bool
) -> None:
    """Row 21."""
    response = await refused(hers, CREATE, **body(data, kind, chunked=chunked))
    assert response.status_code == 413


async def test_fifty_fields_are_not_too_much_but_unknown(hers: Client) -> None:
    response = await refused(hers, CREATE, form={f"f{number}": "" for number in range(50)})
    assert response.status_code == 422


# The rules of an appointment

REQUIRED = "This field is required."
SHAPE = "Use the format 2026-11-24 09:30."
YEAR = "Choose a year from 1900 to 2199."
ORDER = "The end must be after the start."
NO_ZONE = "Unknown time zone. Try one like Europe/London."
UNSEEN = "This contains a character that can't be used."
RULES: list[tuple[dict[str, str], str]] = [
    ({"title": ""}, REQUIRED),
    ({"title": "   "}, REQUIRED),
    ({"title": "\u3000\t"}, REQUIRED),
    ({"title": "x" * 256}, "Field cannot be longer than 255 characters."),
    ({"title": "a\nb"}, UNSEEN),
    ({"location": "x" * 256}, "Field cannot be longer than 255 characters."),
    ({"location": "a\tb"}, UNSEEN),
    ({"description": "x" * 10_001}, "Field cannot be longer than 10000 characters."),
    ({"description": "a\vb"}, UNSEEN),
    ({"start": ""}, REQUIRED),
    ({"end": ""}, REQUIRED),
    ({"start": "tomorrow"}, SHAPE),
    ({"end": "10:00"}, SHAPE),
    ({"start": "2030-02-30T09:00"}, SHAPE),
    ({"start": "2030-05-06T24:00"}, SHAPE),
    ({"start": "2030-05-06T09:00Z"}, SHAPE),
    ({"start": "2030-05-06T09:00+02:00"}, SHAPE),
    # Row 22
    ({"end": "2030-05-06T09:00"}, ORDER),
    ({"end": "2030-05-06T08:59"}, ORDER),
    ({"end": "2030-05-06T09:00:59"}, ORDER),
    ({"start": "0001-01-01T00:00", "end": "0001-01-01T01:00"}, YEAR),
    ({"start": "1899-12-31T23:00", "end": "1899-12-31T23:30"}, YEAR),
    ({"start": "2200-01-01T00:00", "end": "2200-01-01T01:00"}, YEAR),
    ({"start": "9999-12-31T22:00", "end": "9999-12-31T23:59"}, YEAR),
    ({"end": "9999-12-31T23:59"}, YEAR),
    ({"start": "10000-01-01T00:00"}, SHAPE),
    ({"start": "-001-01-01T00:00"}, SHAPE),
    ({"start": "2030-05-06"}, "Add a time, or tick “All day”."),
    ({"end": "2030-05-07"}, "Add a time, or tick “All day”."),
    ({"allday": "y", "start": "2030-05-06", "end": "2030-05-05"}, ORDER),
    (
        {"allday": "y", "start": "2030-05-06", "end": "2031-05-07"},
        "An appointment can last at most 366 days.",
    ),
    ({"allday": "y", "start": "2030-05-06", "end": "2200-01-01"}, YEAR),
    # Row 23
    ({"start": "2027-03-28T02:30", "end": "2027-03-28T04:00"}, "are 01:59 and 03:00."),
    ({"start": "2027-03-28T01:30", "end": "2027-03-28T02:00"}, "are 01:59 and 03:00."),
    (
        {
            "start": "2026-10-04T02:10",
            "end": "2026-10-04T04:00",
            "timezone": "Australia/Lord_Howe",
        },
        "are 01:59 and 02:30.",
    ),
    # Row 24
    ({"timezone": "../../etc/passwd"}, NO_ZONE),
    ({"timezone": "/etc/localtime"}, NO_ZONE),
    ({"timezone": "Mars/Olympus"}, NO_ZONE),
    ({"timezone": "x" * 200}, NO_ZONE),
    ({"timezone": "Europe/Berlin\0"}, NO_ZONE),
    ({"timezone": "localtime"}, NO_ZONE),
    ({"timezone": "Europe"}, NO_ZONE),
    ({"timezone": "zone.tab"}, NO_ZONE),
    # What makes the same form sent twice one appointment
    ({"submission": "x" * 65}, "Invalid input."),
    ({"submission": "é"}, "Invalid input."),
    ({"submission": "x" * 64 + "\n"}, "Invalid input."),
]


@each(("changed", "message"), RULES)
@each("path", ["create", "edit"])
async def test_an_appointment_that_breaks_a_rule_is_refused_with_the_rule(
    hers: Client, dentist: Appointment, path: str, changed: dict[str, str], message: str
) -> None:
    """Rows 22 to 24."""
    address = CREATE if path == "create" else f"/appointments/{dentist.id}/edit/"
    response = await refused(hers, address, form=DENTIST | {"title": "Changed"} | changed)
    assert response.status_code == 422
    assert message in await text(response)


@pytest.mark.parametrize(
    "changed",
    [
        {"end": "2030-05-07T09:01"},
        {"end": "2099-05-06T10:00"},
        {"end": "2030-05-06T09:01"},
        {"start": "1900-01-01T00:00", "end": "1900-01-01T01:00"},
        {"start": "2199-12-31T22:00", "end": "2199-12-31T23:59"},
        {"start": "2199-12-31T22:00", "end": "2199-12-31T23:59", "timezone": "Etc/GMT+12"},
        {"start": "1900-01-01T00:00", "end": "1900-01-01T01:00", "timezone": "Etc/GMT-14"},
        {"allday": "y", "start": "2030-05-06", "end": "2031-05-06"},
        {"allday": "y", "start": "2030-05-06", "end": "2030-05-06"},
        {"title": "x" * 255, "location": "x" * 255, "description": "x" * 10_000},
        {"title": "🦷" * 255},
        {"timezone": " europe/BERLIN "},
        {"submission": "x" * 64},
    ],
    ids=shown,
)
async def test_an_appointment_at_the_edge_of_a_rule_is_kept(
    app: Quart, hers: Client, changed: dict[str, str]
) -> None:
    response = await hers.post(CREATE, form=DENTIST | changed)
    assert response.status_code == 303
    assert (await hers.get(response.location or "")).status_code == 200
    for path in ("/appointments/", "/appointments/?past=1"):
        assert (await hers.get(path)).status_code == 200
    (kept,) = await all_rows(app, Appointment)
    assert kept.title == changed.get("title", "Dentist")
    assert kept.timezone in ("Europe/Berlin", changed.get("timezone"))


async def test_a_time_that_happens_twice_is_the_first(app: Quart, hers: Client) -> None:
    """Row 23."""
    form = {"start": "2026-10-25T02:30", "end": "2026-10-25T02:45"}
    assert (await hers.post(CREATE, form=DENTIST | form)).status_code == 303
    half = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert await instants(app) == [(half, half + timedelta(minutes=15))]


@each("name", ["title", "location", "description", "submission", "timezone"])
async def test_text_that_looks_like_code_is_shown_as_text(hers: Client, name: str) -> None:
    """Row 27, for what is refused too: the form shows it again."""
    hostile = "\"'><img src=x onerror=alert(1)>{{7*7}}{% raw %}%s{0.__class__}"
    response = await hers.post(CREATE, form=DENTIST | {name: hostile})
    pages = [response]
    if name not in ("submission", "timezone"):
        assert response.status_code == 303
        address = response.location or ""
        suffixes = ("", "edit/", "delete/")
        pages = [await hers.get(address + suffix) for suffix in suffixes]
        pages.append(await hers.get("/appointments/"))
        assert hostile in await text(pages[1]), "the form has it, character for character"
        assert (await hers.post(address + "delete/")).status_code == 303
        pages.append(await hers.get("/appointments/"))
    for page in pages:
        assert page.status_code in (200, 422)
        raw = await page.get_data(as_text=True)
        assert "<img src=x" not in raw
        assert "<class" not in raw


async def test_a_name_and_an_address_that_look_like_code_are_shown_as_text(
    app: Quart, stranger: Client
) -> None:
    """Row 27."""
    hostile = "<img src=x onerror=alert(1)>{{7*7}}"
    async with app.app_context():
        await create_account(
            name=hostile,
            email="eve@example.org",
            password="burnt ochre goose on a ladder",
            timezone="UTC",
        )
    page = await (await signed_in(app, "eve@example.org")).get("/appointments/")
    assert hostile in await text(page)
    refusal = await refused(stranger, LOGIN, form=RIGHT | {"username": f'">{hostile}'})
    for answer in (page, refusal):
        assert "<img src=x" not in await answer.get_data(as_text=True)


# Addresses


@each("suffix", ["", "edit/", "delete/"])
@each(
    "number",
    [
        "0",
        "00",
        "01",
        "-1",
        "+1",
        "%201",
        "1%20",
        "1.0",
        "1e0",
        "0x1",
        "1_0",
        "%D9%A1",
        "%EF%BC%91",
        "2147483648",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551617",
        "9" * 1900,
        "None",
        "create/1",
    ],
)
async def test_a_number_that_names_no_row_is_nothing(
    hers: Client, dentist: Appointment, number: str, suffix: str
) -> None:
    """Row 28."""
    path = f"/appointments/{number}/{suffix}"
    cookies = [(b"cookie", f"sched_login={cookie(hers)}".encode())]
    scope = target(path)
    scope["scope_base"]["headers"] += cookies
    response = await refused(hers, "/", method="GET", **scope)
    assert response.status_code == 404


@each("suffix", ["edit/", "delete/"])
async def test_no_number_at_all_is_nothing(hers: Client, suffix: str) -> None:
    """Row 28."""
    response = await refused(hers, f"/appointments//{suffix}", method="GET")
    assert response.status_code == 404


async def test_a_number_of_five_thousand_digits_is_too_long_an_address(hers: Client) -> None:
    """Rows 28 and 30."""
    response = await refused(hers, f"/appointments/{'9' * 5000}/", method="GET")
    assert response.status_code == 414


@each(
    ("method", "suffix"),
    [
        ("GET", ""),
        ("GET", "edit/"),
        ("GET", "delete/"),
        ("POST", "edit/"),
        ("POST", "delete/"),
        ("DELETE", "delete/"),
    ],
)
async def test_another_persons_appointment_is_missing_byte_for_byte(
    app: Quart, dentist: Appointment, mallory: User, method: str, suffix: str
) -> None:
    """Row 29."""
    client = await signed_in(app, "mallory@example.org")
    given = {"form": DENTIST} if method != "GET" else {}
    answers = []
    for number in (dentist.id, dentist.id + 1000):
        path = f"/appointments/{number}/{suffix}"
        response = await refused(client, path, method=method, **given)
        assert response.status_code == 404
        answers.append((await same_for_all(response)).replace(f"/{number}/", ""))
    assert answers[0] == answers[1]


@each(
    ("path", "status"),
    [
        ("/%00", 400),
        ("/login/%00", 400),
        ("/%0d%0aSet-Cookie:%20a=b", 400),
        ("/%7f", 400),
        ("/%ff", 400),
        ("/%ed%a0%80", 400),
        ("/\xff", 400),
        ("/%zz", 400),
        ("/%", 400),
        ("/%2", 400),
        ("/..", 404),
        ("/../../etc/passwd", 404),
        ("/%2e%2e%2f", 404),
        ("/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/%252e%252e%252f", 404),
        ("/static/../config.py", 404),
        ("/static/%2e%2e/config.py", 404),
        ("/static/..%2f..%2fpyproject.toml", 404),
        ("/static/%2fetc%2fpasswd", 404),
        ("/static//etc/passwd", 404),
        ("/static/", 404),
        ("/static/..\\config.py", 404),
        ("/.git/config", 404),
        ("/" + "x" * 20_480, 414),
        ("/login/?" + "x" * 20_480, 414),
    ],
)
async def test_a_path_that_cannot_be_one_is_refused(
    stranger: Client, path: str, status: int
) -> None:
    """Row 30."""
    response = await refused(stranger, "/", method="GET", **target(path))
    assert response.status_code == status
    assert "root:" not in await text(response)


@each(
    "path",
    ["", "?x", "*", "http://[", "http://localhost/login/", "localhost:80", "\\login\\", "login/"],
)
@each("method", ["GET", "POST", "OPTIONS"])
async def test_a_target_that_is_no_path_is_refused(
    stranger: Client, method: str, path: str
) -> None:
    """Row 31."""
    response = await refused(stranger, "/", **target(path, method=method))
    assert response.status_code == 400


@each("method", ["CONNECT", "TRACE", "FOO", "get", "PROPFIND", ""])
@each("path", ["/login/", "/nowhere/"])
async def test_a_method_that_nothing_here_has_is_refused(
    stranger: Client, method: str, path: str
) -> None:
    """Row 31."""
    response = await refused(stranger, "/", **target(path, method=method))
    assert response.status_code == 405
    allowed = {name.strip() for name in response.headers["Allow"].split(",")}
    assert "GET" in allowed
    assert not allowed & {"CONNECT", "TRACE"}


@each(
    ("path", "method"),
    [("/login/", "DELETE"), ("/login/", "PUT"), ("/health/live", "POST"), ("/", "PATCH")],
)
async def test_a_method_that_this_address_has_not_is_refused(
    stranger: Client, path: str, method: str
) -> None:
    response = await refused(stranger, path, method=method)
    assert response.status_code == 405
    assert method not in response.headers["Allow"]


@each(
    "query",
    [
        "a=%ff",
        "%ff=a",
        "a=%00",
        "a=%0d%0a",
        "a=%zz",
        "a=\xff",
        "a=%ed%a0%80",
        "&".join(f"a{number}=" for number in range(1500)),
        "&".join(f"a{number}=" for number in range(51)),
        "id=1&id=2",
        "past=1&past=0",
        "next=/&next=//evil.example",
        "a&a",
        "a=1&%61=2",
    ],
)
@each("path", ["/login/", "/appointments/", "/nowhere/"])
async def test_a_query_that_can_be_read_in_two_ways_is_not_read(
    stranger: Client, path: str, query: str
) -> None:
    """Row 32."""
    response = await refused(stranger, "/", method="GET", **target(f"{path}?{query}"))
    assert response.status_code == 400


@each(
    "after",
    [
        "",
        "-1",
        "1e9",
        "x",
        "1.1",
        "1.1.1.1",
        "1.1.-1",
        "1.2.1",
        "01.1.1",
        " 1.1.1",
        "1.1.9223372036854775808",
        "99999999999999999999.1.1",
        "9" * 5000 + ".1.1",
        "٣.1.1",
    ],
)
async def test_a_page_of_the_list_that_cannot_exist_is_refused(hers: Client, after: str) -> None:
    """Row 32."""
    given = {"query_string": {"after": after}}
    response = await refused(hers, "/appointments/", method="GET", **given)
    assert response.status_code == 400


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("instant", [253402300799, -62135596800], ids=["year 9999", "year 1"])
@pytest.mark.parametrize("past", ["", "&past=1"])
async def test_the_ends_of_time_are_a_page_like_any_other_or_none(
    app: Quart, hers: Client, instant: int, zone: str, past: str
) -> None:
    """Row 32."""
    async with app.app_context(), begin() as db:
        (await db.scalars(select(User))).one().timezone = zone
    response = await hers.get(f"/appointments/?after={instant}.1.1{past}")
    assert response.status_code in (200, 400)
    assert_secured(response)


@each(
    ("hosts", "status"),
    [
        ([], 400),
        ([b"localhost", b"localhost"], 400),
        ([b"localhost", b"evil.example"], 400),
        ([b"evil.example"], 421),
        ([b"evil.example:80"], 421),
        ([b"localhost.evil.example"], 421),
        ([b"127.0.0.1.evil.example"], 421),
        ([b"10.0.0.1"], 421),
        ([b"0.0.0.0"], 421),
        ([b"[2001:db8::1]"], 421),
        ([b""], 400),
        ([b"a b"], 400),
        ([b"["], 400),
        ([b"[]"], 400),
        ([b"localhost:"], 400),
        ([b"localhost:x"], 400),
        ([b"localhost:123456"], 400),
        ([b"localhost/"], 400),
        ([b"localhost#"], 400),
        ([b"evil.example@localhost"], 400),
        ([b"localhost,evil.example"], 400),
        ([b"local\xffhost"], 400),
        ([b"localhost\n"], 400),
        ([b"localhost\0"], 400),
        ([b"http://localhost"], 400),
    ],
)
async def test_a_request_for_another_host_is_refused(
    stranger: Client, hosts: list[bytes], status: int
) -> None:
    """Row 33."""
    headers = [(b"host", host) for host in hosts]
    response = await refused(stranger, "/", method="GET", **target(LOGIN, headers=headers))
    assert response.status_code == status
    assert "evil.example" not in await text(response)


@each("host", [b"localhost", b"LOCALHOST", b"localhost:8000", b"127.0.0.1"])
async def test_the_machine_itself_may_be_called_by_any_of_its_names(
    stranger: Client, host: bytes
) -> None:
    response = await stranger.open("/", **target(LOGIN, host=host))
    assert response.status_code == 200


@pytest.mark.parametrize("host", [b"127.0.0.1", b"localhost", b"sched.example.org:8443"])
async def test_with_a_name_of_its_own_the_server_answers_to_no_other(
    settings: dict[str, Any], host: bytes
) -> None:
    """Row 33."""
    app = create_app(settings | {"PUBLIC_URL": "https://sched.example.org"})
    async with app.test_app():
        client = Client(app)
        response = await refused(client, "/", method="GET", **target(LOGIN, host=host))
        assert response.status_code == 421
        right = await client.open("/", **target(LOGIN, host=b"Sched.Example.org"))
        assert right.status_code == 200


# Cookies and headers


def cleared(response: Response) -> bool:
    return any(
        value.startswith("sched_login=;") and "Max-Age=0" in value
        for value in response.headers.getlist("Set-Cookie")
    )


async def anonymous(client: Client, sent: bytes) -> Response:
    """Ask for a private page with this Cookie header; the answer asks to sign in."""
    scope = target("/appointments/")
    scope["scope_base"]["headers"].append((b"cookie", sent))
    response: Response = await client.open("/", **scope)
    assert response.status_code == 303
    assert (response.location or "").startswith("/login/")
    assert_secured(response)
    return response


@each(
    "value",
    [
        b"\xff\xfe\x00",
        b"junk",
        b"x" * 8192,
        b'{"user_id": 1}',
        b'"\\303\\251"',
        b"ImFiYyI.aaaa.bbbb",
        b"..",
    ],
)
async def test_a_login_cookie_that_means_nothing_is_nobody_and_is_taken_away(
    stranger: Client, alice: User, value: bytes
) -> None:
    """Row 36."""
    response = await anonymous(stranger, b"sched_login=" + value + b"; sched_session=" + value)
    assert cleared(response)


async def test_a_login_cookie_signed_with_another_key_is_nobody(
    app: Quart, stranger: Client, hers: Client
) -> None:
    """Row 36."""
    key, app.secret_key = app.secret_key, "fA3-uB7_gC9-vD2_hE6-wF0_iG4-xH8"
    response = await anonymous(stranger, f"sched_login={cookie(hers)}".encode())
    app.secret_key = key
    assert cleared(response)


async def test_a_login_cookie_of_a_session_that_expired_is_nobody(
    stranger: Client, hers: Client
) -> None:
    """Row 36."""
    with time_machine.travel(datetime.now(UTC) + timedelta(days=31)):
        response = await anonymous(stranger, f"sched_login={cookie(hers)}".encode())
    assert cleared(response)


async def test_a_signed_cookie_that_holds_no_token_is_nobody(
    app: Quart, stranger: Client, alice: User
) -> None:
    """Row 36."""
    for value in ("", "1", str(alice.id), "x" * 3000, "é", {"user_id": 1}, [1], None, 7):
        async with app.app_context():
            signed = generate_auth_token(stranger, value)  # type: ignore[arg-type]
        await anonymous(stranger, f"sched_login={signed}".encode())


async def test_two_login_cookies_at_once_are_nobody(
    app: Quart, stranger: Client, hers: Client, mallory: User
) -> None:
    """Row 36: a neighbour's page may have planted one of them, and who can tell which?"""
    theirs = await signed_in(app, "mallory@example.org")
    values = (cookie(hers), cookie(theirs))
    for first, second in (values, values[::-1]):
        await anonymous(stranger, f"sched_login={first}; sched_login={second}".encode())


FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "444",
    "X-Forwarded-Prefix": "/evil",
    "Forwarded": "for=203.0.113.9;host=evil.example;proto=https",
    "X-Real-IP": "203.0.113.9",
    "X-Original-URL": "/appointments/",
    "X-Rewrite-URL": "/appointments/",
    "Remote-Addr": "203.0.113.9",
}


async def test_what_a_stranger_says_of_a_proxy_is_ignored(settings: dict[str, Any]) -> None:
    """Row 38."""
    app = create_app(settings)

    @app.route("/seen/")
    @public
    async def seen() -> dict[str, Any]:
        address = request.headers.getlist("Remote-Addr")
        return {"host": request.host, "url": request.url, "from": request.remote_addr} | {
            "root": request.root_path,
            "addresses": address,
        }

    async with app.test_app():
        client = app.test_client()
        plain = await (await client.get("/seen/")).get_json()
        assert await (await client.get("/seen/", headers=FORGED)).get_json() == plain
        response = await client.get("/appointments/", headers=FORGED)
    assert response.location == "/login/?next=/appointments/"
    assert_secured(response)


async def test_the_method_is_the_one_in_the_request_line(
    app: Quart, hers: Client, dentist: Appointment
) -> None:
    """Row 38."""
    names = ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    headers = dict.fromkeys(names, "DELETE")
    before = await contents(app)
    assert (
        await hers.get(f"/appointments/{dentist.id}/delete/", headers=headers)
    ).status_code == 200
    assert (await hers.get(LOGIN, headers=headers)).status_code == 303
    assert await contents(app) == before
    saved = await hers.post(
        f"/appointments/{dentist.id}/edit/", headers=headers, form=DENTIST | {"title": "Moved"}
    )
    assert saved.status_code == 303
    assert [kept.title for kept in await all_rows(app, Appointment)] == ["Moved"]


async def test_a_refused_request_is_one_line_in_the_log_without_its_text(
    stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    response = await refused(stranger, "/", **target("/evil%0atext", method="POST"))
    lines = [
        record.getMessage() for record in caplog.records if "status=400" in record.getMessage()
    ]
    assert len(lines) == 1
    assert f"id={response.headers['X-Request-ID']} " in lines[0]
    assert "evil" not in caplog.text


# On the wire, past every library that would mend it


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path_factory.mktemp("wire"))}) as server:
        yield server


def exchange(server: WebServer, head: bytes) -> tuple[int, dict[str, str]]:
    """Send bytes; returns the status and the headers of what comes back."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as wire:
        wire.sendall(head.replace(b"{host}", f"127.0.0.1:{server.port}".encode()))
        answer = b""
        while b"\r\n\r\n" not in answer:
            received = wire.recv(65536)
            assert received, answer
            answer += received
    lines = answer.partition(b"\r\n\r\n")[0].decode("latin1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), {name.lower(): value for name, value in headers.items()}


@each(
    ("line", "status"),
    [
        (b"GET ?x HTTP/1.1", 400),
        (b"GET http://[ HTTP/1.1", 400),
        (b"GET http://evil.example/ HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"GET /%00 HTTP/1.1", 400),
        (b"GET /%ff HTTP/1.1", 400),
        (b"GET /%zz HTTP/1.1", 400),
        (b"GET /.. HTTP/1.1", 404),
        (b"GET /login/?a=1&a=2 HTTP/1.1", 400),
        (b"TRACE /login/ HTTP/1.1", 405),
        (b"FOO /login/ HTTP/1.1", 405),
        (b"CONNECT evil.example:443 HTTP/1.1", 405),
    ],
)
def test_the_server_refuses_it_on_the_wire_as_well(
    server: WebServer, line: bytes, status: int
) -> None:
    """Rows 30 to 32."""
    head = b"\r\n".join([line, b"Host: {host}", b"Connection: close", b"", b""])
    got, headers = exchange(server, head)
    assert got == status
    assert REQUEST_ID.fullmatch(headers["x-request-id"])
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@each(
    ("head", "status"),
    [
        (b"GET /login/ HTTP/1.1\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.0\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.1\r\nHost: {host}\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", 421),
        (b"GET /login/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.1\r\nHost:\r\n\r\n", 400),
        (b"GET /login/ HTTP/1.1\r\nHost: {host}\r\n\r\n", 200),
    ],
)
def test_the_server_wants_one_host_that_is_its_own(
    server: WebServer, head: bytes, status: int
) -> None:
    """Row 33.  (What the HTTP library itself refuses never reaches us or our headers.)"""
    assert exchange(server, head)[0] == status


def test_a_large_head_is_refused_or_anonymous(server: WebServer) -> None:
    """Row 36: a cookie of 8 KiB."""
    cookies = b"Cookie: sched_login=" + b"x" * 8192
    status, _ = exchange(
        server, b"GET /appointments/ HTTP/1.1\r\nHost: {host}\r\n" + cookies + b"\r\n\r\n"
    )
    assert status in (303, 400, 431)


def test_after_all_that_the_log_has_no_trace_of_an_error(server: WebServer) -> None:
    exchange(server, b"GET /login/ HTTP/1.1\r\nHost: {host}\r\n\r\n")
    assert "Traceback" not in server.output()
    assert "status=5" not in server.output()


@each(
    ("url", "host", "status"),
    [
        ("https://sched.example.org", b"sched.example.org:443", 200),
        ("https://sched.example.org", b"SCHED.example.org:443", 200),
        ("https://sched.example.org", b"sched.example.org:80", 421),
        ("https://sched.example.org:8443", b"sched.example.org:8443", 200),
        ("https://sched.example.org:8443", b"sched.example.org", 421),
        ("http://my_nas", b"my_nas:80", 200),
        ("http://my_nas", b"my_nas:443", 421),
        ("http://[2001:db8::443]", b"[2001:db8::443]:80", 200),
        ("https://m\u00fcnchen.example", b"xn--mnchen-3ya.example", 200),
    ],
)
async def test_a_host_may_name_the_port_that_its_scheme_has_anyway(
    settings: dict[str, Any], url: str, host: bytes, status: int
) -> None:
    app = create_app(settings | {"PUBLIC_URL": url})
    async with app.test_app():
        response = await Client(app).open("/", **target(LOGIN, host=host))
        assert response.status_code == status
