"""What a watchman sees.  (How it looks without a database: ``test_unavailable.py``.)"""

import pytest
from quart import Quart
from sqlalchemy import event

from sched_async.database import Database
from sched_async.models import User
from sched_async.testing import Client, signed_in

from .pages import Browser
from .security import assert_secured
from .tables import each

PATHS = pytest.mark.parametrize("path", ["/health/live", "/health/ready"])


@PATHS
@each("accept", ["*/*", "text/html", "application/json"])
async def test_anybody_may_ask(client: Browser, path: str, accept: str) -> None:
    response = await client.get(path, headers={"Accept": accept})
    assert (response.status_code, response.content_type) == (200, "application/json")
    assert await response.get_json() == {"status": "OK"}
    assert_secured(response)


@PATHS
async def test_the_answer_is_fresh_and_leaves_no_cookie(client: Browser, path: str) -> None:
    response = await client.get(path)
    assert response.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in response.headers


@PATHS
async def test_head_is_enough(client: Browser, path: str) -> None:
    assert (await client.head(path)).status_code == 200


@PATHS
@each("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_there_is_nothing_to_send(app: Quart, path: str, method: str) -> None:
    response = await Client(app).open(path, method=method)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@PATHS
async def test_there_is_one_address_for_it(client: Browser, path: str) -> None:
    assert (await client.get(f"{path}/")).status_code == 404


@pytest.mark.parametrize(
    ("path", "statements"), [("/health/live", set()), ("/health/ready", {"SELECT 1"})]
)
async def test_only_ready_asks_the_database_whoever_asks(
    app: Quart, alice: User, path: str, statements: set[str]
) -> None:
    asked: set[str] = set()
    opened: Database = app.extensions["database"]
    client = await signed_in(app, "alice@example.org")
    for engine in {opened.write_engine.sync_engine, opened.read_engine.sync_engine}:
        event.listen(engine, "before_cursor_execute", lambda *given: asked.add(given[2]))
    assert (await client.get(path)).status_code == 200
    assert asked - {"BEGIN"} == statements
