"""Rules that hold for every route, those of tomorrow included."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from quart import Quart
from quart.testing import QuartClient
from sqlalchemy import text as sql
from werkzeug.routing import Rule

from sched_async.database import begin
from sched_async.models import Appointment, Base, User
from sched_async.testing import signed_in

from .pages import text

PUBLIC = {
    "static",
    "health.live",
    "health.ready",
    "sessions.login",
    "registration.setup",
    "appointments.home",
}
UNSAFE = {"POST", "PUT", "PATCH", "DELETE"}


def rules(app: Quart, methods: set[str]) -> Iterator[tuple[Rule, str, str]]:
    """Every route and method among ``methods``, with an address it answers to."""
    adapter = app.url_map.bind("localhost")
    for rule in app.url_map.iter_rules():
        values = {name: "style.css" if name == "filename" else 1 for name in rule.arguments}
        for method in sorted((rule.methods or set()) & methods):
            yield rule, method, adapter.build(rule.endpoint, values)


async def contents(app: Quart) -> dict[str, list[object]]:
    async with app.app_context(), begin() as db:
        tables = [table.name for table in Base.metadata.sorted_tables]
        return {
            name: [tuple(row) for row in await db.execute(sql(f'SELECT * FROM "{name}"'))]
            for name in tables
        }


@pytest.fixture
async def dentist(app: Quart, alice: User) -> Appointment:
    """Alice's, tomorrow."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    end = start + timedelta(hours=1)
    appointment = Appointment(
        user_id=alice.id,
        title="Dentist",
        start=start.replace(tzinfo=None),
        end=end.replace(tzinfo=None),
        timezone="UTC",
        start_utc=start,
        end_utc=end,
    )
    async with app.app_context(), begin() as db:
        db.add(appointment)
    return appointment


async def test_every_route_is_public_on_purpose(app: Quart, client: QuartClient) -> None:
    for rule, method, path in rules(app, {"GET"}):
        response = await client.open(path, method=method)
        asks_to_sign_in = (response.location or "").startswith("/login/")
        assert asks_to_sign_in == (rule.endpoint not in PUBLIC), rule


async def test_every_unsafe_method_needs_the_token(app: Quart, dentist: Appointment) -> None:
    client = await signed_in(app, "alice@example.org")
    before = await contents(app)
    for rule, method, path in rules(app, UNSAFE):
        response = await client.open(path, method=method, headers={"X-CSRF-Token": "made.up"})
        assert response.status_code == 403, (rule, method)
    assert await contents(app) == before


async def test_no_get_changes_anything(app: Quart, dentist: Appointment) -> None:
    client = await signed_in(app, "alice@example.org")
    before = await contents(app)
    for rule, method, path in rules(app, {"GET", "HEAD", "OPTIONS"}):
        response = await client.open(path, method=method)
        assert response.status_code < 500, (rule, method)
    assert await contents(app) == before


async def test_another_persons_row_is_a_missing_row(
    app: Quart, dentist: Appointment, mallory: User
) -> None:
    client = await signed_in(app, "mallory@example.org")
    form = {"title": "Mine now", "start": "2027-01-01T10:00", "end": "2027-01-01T11:00"}
    before = await contents(app)
    tried = 0
    for rule, method, path in rules(app, {"GET"} | UNSAFE):
        if "appointment_id" in rule.arguments:
            theirs = await client.open(path, method=method, form=form if method != "GET" else None)
            none = path.replace("/1/", "/404404/")
            missing = await client.open(none, method=method, form=form if method != "GET" else None)
            assert (theirs.status_code, missing.status_code) == (404, 404), (rule, method)
            tried += 1
            pages = [await text(answer) for answer in (theirs, missing)]
            ids = [answer.headers["X-Request-ID"] for answer in (theirs, missing)]
            tokens = ("csrf", "token")
            theirs_lines, missing_lines = (
                [
                    line.replace(request_id, "")
                    for line in page.splitlines()
                    if not any(word in line for word in tokens)
                ]
                for page, request_id in zip(pages, ids, strict=True)
            )
            assert theirs_lines == missing_lines
    assert tried == 6
    assert await contents(app) == before


async def test_nobody_else_sees_an_appointment_in_a_list(
    app: Quart, dentist: Appointment, mallory: User
) -> None:
    client = await signed_in(app, "mallory@example.org")
    for path in ("/appointments/", "/appointments/?past=1"):
        assert "Dentist" not in await text(await client.get(path))


async def test_a_new_route_is_private_without_saying_so(
    settings: dict[str, object],
) -> None:
    from sched_async.app import create_app

    app = create_app(settings)

    @app.route("/later/")
    async def later() -> str:
        return "not for everybody"

    async with app.test_app():
        response = await app.test_client().get("/later/")
    assert response.status_code == 303
    assert response.location == "/login/?next=/later/"
