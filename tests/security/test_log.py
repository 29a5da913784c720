"""What the log tells an operator, and what it keeps to itself (OWASP ASVS 5.0, 16.2 and 16.3)."""

import logging
import re
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import text as sql

from sched_async.accounts.activity import record
from sched_async.accounts.admin.actions import act_on
from sched_async.accounts.registration.rules import setup_link
from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.database import begin, db
from sched_async.models import User
from sched_async.testing import Client, signed_in

from ..conftest import ALICE_PASSWORD, SECRET_KEY
from ..pages import Browser, cookie, csrf_token, log_in

SOMEBODY = "alice@example.org"
LINE = re.compile(
    r"id=(?P<id>[0-9a-f]{16}) method=(?P<method>[A-Z]+|-) route=(?P<route>\S+) "
    r"status=(?P<status>\d{3}|gone) ms=(?P<ms>\d+) user=(?P<user>\d+|-)"
)
FORM = {
    "title": "Dentist",
    "start": "2027-01-01T10:00",
    "end": "2027-01-01T11:00",
    "location": "Rosenweg 7",
    "description": "bring the x-ray",
}

only_sqlite = pytest.mark.databases("sqlite")


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that any logger says at its usual level."""
    caplog.set_level(logging.INFO)
    return caplog


def lines(log: pytest.LogCaptureFixture, logger: str) -> list[str]:
    return [record.getMessage() for record in log.records if record.name == f"sched_async.{logger}"]


def accesses(log: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    found = [LINE.fullmatch(line) for line in lines(log, "access")]
    return [line.groupdict() for line in found if line]


# One line for each request


@pytest.mark.parametrize(
    ("method", "path", "given", "route", "status"),
    [
        ("GET", "/login/", {}, "/login/", "200"),
        ("HEAD", "/login/", {}, "/login/", "200"),
        ("GET", "/login/", {"query_string": {"next": "/private"}}, "/login/", "200"),
        ("GET", "/static/style.css", {}, "/static/<path:filename>", "200"),
        ("GET", "/setup/private/", {}, "/setup/<token>/", "404"),
        ("GET", "/appointments/7/", {}, "/appointments/<int:appointment_id>/", "303"),
        ("POST", "/login/", {"form": {"username": "private"}}, "/login/", "422"),
        ("GET", "/private/", {}, "-", "404"),
        ("PUT", "/login/", {}, "-", "405"),
    ],
)
async def test_each_request_is_one_line_with_its_route_but_not_its_address(
    app: Quart,
    log: pytest.LogCaptureFixture,
    method: str,
    path: str,
    given: dict[str, Any],
    route: str,
    status: str,
) -> None:
    response = await Client(app).open(path, method=method, **given)
    assert len(lines(log, "access")) == 1
    (line,) = accesses(log)
    assert line | {"ms": "0"} == {
        "id": response.headers["X-Request-ID"],
        "method": method,
        "route": route,
        "status": status,
        "ms": "0",
        "user": "-",
    }
    assert "private" not in log.text


async def test_the_line_names_a_person_by_number(
    app: Quart, alice: User, mallory: User, log: pytest.LogCaptureFixture
) -> None:
    for person in (mallory, alice):
        client = await signed_in(app, person.email)
        for path in ("/appointments/", "/nowhere/", "/logout/"):
            await client.get(path)
    assert [line["user"] for line in accesses(log)] == [str(mallory.id)] * 3 + [str(alice.id)] * 3


async def test_a_method_that_nobody_has_cannot_write_into_the_log(
    app: Quart, log: pytest.LogCaptureFixture
) -> None:
    scope = {"method": "GET id=0 user=1\n"}
    response = await app.test_client().get("/login/", scope_base=scope)
    assert response.status_code == 405
    (line,) = accesses(log)
    assert line["method"] == "-"


async def test_whoever_leaves_before_the_answer_is_a_line_too(
    app: Quart, log: pytest.LogCaptureFixture
) -> None:
    async with app.test_client().request("/health/ready") as connection:
        await connection.disconnect()
    assert [(line["route"], line["status"]) for line in accesses(log)] == [
        ("/health/ready", "gone")
    ]


# Security events


async def test_signing_in_and_out_and_failing_to_are_noted_with_whom(
    client: Browser, alice: User, log: pytest.LogCaptureFixture
) -> None:
    for username, password in (
        ("alice@example.org", "not this one either"),
        ("nobody@example.org", ALICE_PASSWORD),
        ("alice@example.org", ALICE_PASSWORD),
    ):
        await log_in(client, username, password)
    await client.post("/logout/", form={"csrf_token": await csrf_token(client, "/logout/")})
    assert lines(log, "security") == [
        "login failed",
        "login failed",
        f"login user={alice.id}",
        f"logout user={alice.id}",
    ]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"X-CSRF-Token": "made.up"}, "no valid token"),
        ({"Origin": "https://evil.example"}, "another site"),
        ({"Sec-Fetch-Site": "cross-site"}, "another site"),
    ],
)
async def test_a_forged_request_is_noted_with_the_reason(
    app: Quart, log: pytest.LogCaptureFixture, headers: dict[str, str], reason: str
) -> None:
    assert (await Client(app).post("/login/", headers=headers)).status_code == 403
    assert lines(log, "security") == [f"csrf refused: {reason}"]
    assert "evil" not in log.text


async def test_the_first_account_is_noted(app: Quart, log: pytest.LogCaptureFixture) -> None:
    async with app.app_context():
        link = await setup_link()
    form = {"name": "Alice", "email": "alice@example.org", "timezone": "UTC"}
    form |= {"password": ALICE_PASSWORD, "password_again": ALICE_PASSWORD}
    path = (link or "").removeprefix("http://localhost")
    assert (await Client(app).post(path, form=form)).status_code == 303
    events = [line.partition(" user=") for line in lines(log, "security")]
    assert [event for event, _, _ in events] == ["registered", "login", "first account"]
    assert len({user for _, _, user in events}) == 1


async def test_what_happened_to_an_account_is_noted_once_it_is_true(
    app: Quart, alice: User, mallory: User, log: pytest.LogCaptureFixture
) -> None:
    """By the names that its owner's activity has; and by whom, where that was somebody else."""
    client = await signed_in(app, alice.email)
    await client.post(f"/admin/users/{mallory.id}/deactivate/")
    async with app.app_context():
        await act_on(mallory.email, "activate")
        async with begin() as work:
            record(work, mallory.id, "password_changed")
            await work.rollback()
    assert lines(log, "security") == [
        f"deactivated user={mallory.id} by={alice.id}",
        f"activated user={mallory.id} by=operator",
    ]


# What it keeps to itself


async def test_no_secret_and_nothing_personal_is_ever_logged(
    app: Quart, client: Browser, alice: User, log: pytest.LogCaptureFixture
) -> None:
    """ASVS 16.2.5, over a day's work with its mishaps."""
    await log_in(client, "alice@example.org", "not this one either")
    cookies = [cookie(client, "sched_session") or ""]
    await log_in(client, "alice@example.org", ALICE_PASSWORD)
    token = await csrf_token(client, "/appointments/create/")
    form = FORM | {"csrf_token": token}
    made = await client.post("/appointments/create/", form=form)
    for path in ("/appointments/", "/appointments/?past=1", f"{made.location}edit/"):
        assert (await client.get(path)).status_code == 200
    await client.get("/Dentist/", query_string={"q": "Rosenweg 7"})
    await client.post("/appointments/create/", form=form | {"end": "never"})
    await client.post("/appointments/create/", form=form | {"start": "x" * 2**17})
    cookies.append(cookie(client) or "")
    await client.delete(f"{made.location}delete/", headers={"X-CSRF-Token": token})
    await client.post("/logout/", form={"csrf_token": token})
    assert len(accesses(log)) == 14
    secret = [ALICE_PASSWORD, "not this one either", SECRET_KEY, token, *cookies]
    personal = ["alice", "dentist", "rosenweg", "x-ray", "never", "argon2"]
    assert all(secret)
    for text in (*secret, *personal):
        assert text.lower() not in log.text.lower()


async def test_nobodys_value_is_in_the_trace_of_a_failed_statement(
    settings: dict[str, Any], log: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings)

    @app.route("/fail/")
    @public
    async def fail() -> str:
        await db.execute(sql("SELECT :email FROM nowhere"), {"email": SOMEBODY})
        return "never"

    async with app.test_app():
        response = await app.test_client().get("/fail/")
    assert response.status_code == 500, "a mistake of ours is no lack of a database"
    assert "FROM nowhere" in log.text
    assert "alice" not in log.text
