"""What is over is cleared away, every hour, a little at a time."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import func, insert, select

from sched_async import database, lifespan
from sched_async.accounts.cleanup import BATCH, sweep
from sched_async.app import create_app
from sched_async.database import begin, reading
from sched_async.models import Activity, Base, LoginSession, OneTimeToken, User

pytestmark = pytest.mark.databases("sqlite", "postgresql")

SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def login(user: User, name: str, **values: object) -> dict[str, object]:
    moment = datetime.now(UTC)
    same = {"user_id": user.id, "token_hash": name, "remember": False}
    return same | {"expires_at": moment + DAY, "last_seen_at": moment} | values


async def write(app: Quart, model: type[Base], rows: list[dict[str, object]]) -> None:
    async with app.app_context(), begin() as db:
        await db.execute(insert(model), rows)


async def names(app: Quart, column: Any) -> set[str]:
    async with app.app_context(), reading() as db:
        return set(await db.scalars(select(column)))


async def run(app: Quart) -> None:
    async with app.app_context():
        await sweep()


async def test_login_sessions_go_when_they_are_over(app: Quart, alice: User) -> None:
    moment = datetime.now(UTC)
    rows = [
        login(alice, "living"),
        login(alice, "unused", last_seen_at=moment - timedelta(hours=12)),
        login(alice, "over", expires_at=moment),
        login(alice, "remembered", last_seen_at=moment - 20 * DAY, remember=True),
        login(alice, "over too", expires_at=moment - DAY, remember=True),
    ]
    await write(app, LoginSession, rows)
    await run(app)
    assert await names(app, LoginSession.token_hash) == {"living", "remembered"}


async def test_tokens_go_when_they_are_over(app: Quart, alice: User) -> None:
    moment = datetime.now(UTC)
    rows = [
        {"token_hash": name, "purpose": "reset", "user_id": alice.id, "expires_at": expires_at}
        | {"data": {}}
        for name, expires_at in (("good", moment + DAY), ("over", moment - SECOND))
    ]
    await write(app, OneTimeToken, rows)
    await run(app)
    assert await names(app, OneTimeToken.token_hash) == {"good"}


async def test_activity_goes_after_ninety_days(app: Quart, alice: User) -> None:
    moment = datetime.now(UTC)
    ages = {"login": 89 * DAY, "logout": 90 * DAY, "login_failed": 400 * DAY}
    rows: list[dict[str, object]] = [
        {"user_id": alice.id, "event": event, "happened_at": moment - age}
        for event, age in ages.items()
    ]
    await write(app, Activity, rows)
    await run(app)
    assert await names(app, Activity.event) == {"login"}


async def old_activity(app: Quart, user: User, number: int) -> None:
    row = {"user_id": user.id, "event": "login", "happened_at": datetime.now(UTC) - 91 * DAY}
    await write(app, Activity, [row] * number)


async def left(app: Quart) -> int | None:
    async with app.app_context(), reading() as db:
        return await db.scalar(select(func.count()).select_from(Activity))


@pytest.mark.parametrize("number", [BATCH, 2 * BATCH + 1])
async def test_more_than_fits_one_transaction_goes_too(
    app: Quart, alice: User, number: int
) -> None:
    await old_activity(app, alice, number)
    await run(app)
    assert await left(app) == 0


async def test_two_nodes_that_sweep_at_once_do_not_get_in_each_others_way(
    app: Quart, settings: dict[str, Any], alice: User
) -> None:
    node = create_app(settings)
    lifespan.prepare(node)
    await old_activity(app, alice, 3 * BATCH)
    async with database.opened(node):
        await asyncio.gather(run(app), run(node))
        await run(app)
    assert await left(app) == 0


@pytest.mark.databases("postgresql")
async def test_a_row_that_somebody_is_at_is_left_for_the_next_time(app: Quart, alice: User) -> None:
    over = datetime.now(UTC)
    await write(app, LoginSession, [login(alice, name, expires_at=over) for name in "ab"])
    held = select(LoginSession).where(LoginSession.token_hash == "a").with_for_update()
    async with app.app_context(), begin() as db, asyncio.timeout(2):
        await db.scalar(held)
        await sweep()
    assert await names(app, LoginSession.token_hash) == {"a"}
    await run(app)
    assert await names(app, LoginSession.token_hash) == set()


async def test_a_served_app_sweeps_by_itself(settings: dict[str, Any]) -> None:
    first = create_app(settings)
    async with first.test_app(), first.app_context(), begin() as db:
        db.add(User(name="Ada", email="ada@example.org", password_hash="", timezone="UTC", id=1))
        await db.flush()
        db.add(Activity(user_id=1, event="login", happened_at=datetime.now(UTC) - 91 * DAY))
    second = create_app(settings)
    async with second.test_app(), asyncio.timeout(20):
        for job in second.extensions["jobs"]:
            job.wake()  # the first time would come within a minute
        while await left(second):
            pass  # each look leaves the job its turn


REFUSE = "CREATE TRIGGER refuse BEFORE DELETE ON login_session BEGIN SELECT RAISE(ABORT, 'no'); END"


@pytest.mark.databases("sqlite")
async def test_a_table_that_cannot_be_cleared_keeps_no_other(app: Quart, alice: User) -> None:
    moment = datetime.now(UTC)
    await write(app, LoginSession, [login(alice, "stuck", expires_at=moment - DAY)])
    old = {"user_id": alice.id, "event": "login", "happened_at": moment - 91 * DAY}
    await write(app, Activity, [old])
    async with app.app_context(), begin() as db:
        await (await db.connection()).exec_driver_sql(REFUSE)
    await run(app)
    assert await names(app, LoginSession.token_hash) == {"stuck"}
    assert await names(app, Activity.event) == set()
