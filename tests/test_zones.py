"""Governments that change the clocks, and the appointments that people had there already."""

import asyncio
import os
import struct
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from sqlalchemy import select, update

from sched_async.accounts.registration import rules
from sched_async.app import create_app
from sched_async.appointments import upkeep, zones
from sched_async.database import begin, opened, reading
from sched_async.models import Appointment, Occurrence, User, Zone
from sched_async.testing import signed_in
from sched_async.times import changes

from .appointments import add, timed
from .servers import ROOT

START = """
import asyncio
from sched_async.app import create_app
from sched_async.appointments import upkeep, zones

async def start():
    async with create_app().test_app():
        pass

asyncio.run(start())
"""
# What the clocks of Berlin show from now on: no summer time, or an hour more in summer.
NO_SUMMER, MORE_SUMMER = "CET-1", "CET-1CEST-3,M3.5.0,M10.5.0/4"


def compiled(rule: str) -> bytes:
    """A file of zone data (RFC 8536) that has one POSIX rule and no history."""
    empty = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4)
    block = empty + struct.pack(">lbb", 3600, 0, 0) + b"CET\0"
    return block + block + f"\n{rule}\n".encode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The zone data of the next version, in which only Berlin is another."""
    folder = tmp_path / "zoneinfo"
    (folder / "Europe").mkdir(parents=True)
    return folder


async def start(settings: Mapping[str, Any], data: Path, rule: str) -> None:
    """Start once, in a process of its own that reads other zone data, and stop."""
    (data / "Europe" / "Berlin").write_bytes(compiled(rule))
    env = {f"SCHED_{name}": str(value) for name, value in settings.items()}
    await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", START],
        env=os.environ | env | {"PYTHONTZPATH": str(data)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


async def make(app: Quart, user: User, title: str, zone: str = "Europe/Berlin", **more: str) -> str:
    """An hour from half past nine on, in the summer of 2030, by the form; gives its address."""
    client = await signed_in(app, user.email)
    span = {"start": "2030-07-01T09:30", "end": "2030-07-01T10:30"}
    form = {"title": title, "timezone": zone, **span, **more}
    return (await client.post("/appointments/create/", form=form)).location or ""


async def instants(settings: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """When each appointment begins and ends, in UTC."""
    app = create_app(settings)
    async with opened(app), app.app_context(), reading() as session:
        return {
            row.title: (f"{row.start_utc:%H:%M}", f"{row.end_utc:%H:%M}")
            for row in await session.execute(
                select(Appointment.title, Occurrence.start_utc, Occurrence.end_utc).join(
                    Occurrence, Occurrence.appointment_id == Appointment.id
                )
            )
        }


async def kept(settings: Mapping[str, Any]) -> str | None:
    app = create_app(settings)
    async with opened(app), app.app_context(), reading() as session:
        berlin = Zone.name == "Europe/Berlin"
        return await session.scalar(select(Zone.fingerprint).where(berlin))


@pytest.fixture
async def ready(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings of an app that is not served, with appointments of before."""
    app = create_app(settings)
    async with app.test_app():
        async with app.app_context(), begin() as session:
            person = {"name": "Alice", "password_hash": "", "timezone": "UTC"}
            alice = User(email="alice@example.org", **person)
            await rules.add_account(session, alice)
        await make(app, alice, "Berlin")
        await make(app, alice, "New York", "America/New_York")
        await make(app, alice, "Day", allday="y")
        async with app.app_context(), begin() as session:
            # Nothing is derived again where no rule has changed, so this stays.
            wrong = {"start_utc": datetime(2030, 7, 1, 3, tzinfo=UTC)}
            there = select(Appointment.id).where(Appointment.timezone == "America/New_York")
            these = Occurrence.appointment_id.in_(there)
            await session.execute(update(Occurrence).where(these).values(wrong))
    return settings


async def test_what_lies_in_a_zone_whose_rules_have_changed_is_derived_again(
    ready: dict[str, Any], data: Path
) -> None:
    before = await instants(ready)
    assert before["Berlin"] == ("07:30", "08:30")
    for rule, expected in ((NO_SUMMER, ("08:30", "09:30")), (MORE_SUMMER, ("06:30", "07:30"))):
        await start(ready, data, rule)
        assert await instants(ready) == before | {"Berlin": expected}
    async with create_app(ready).test_app():
        assert await instants(ready) == before


async def test_an_appointment_whose_instants_change_has_not_been_changed_itself(
    ready: dict[str, Any], data: Path
) -> None:
    app = create_app(ready)
    async with opened(app), app.app_context(), begin() as session:
        before = {row.id: row.modified_at for row in await session.scalars(select(Appointment))}
    await start(ready, data, NO_SUMMER)
    async with opened(app), app.app_context(), reading() as session:
        for row in await session.scalars(select(Appointment)):
            assert (row.modified_at, row.start.hour) == (before[row.id], 0 if row.allday else 9)


async def test_a_time_that_the_new_rules_skip_stays_and_ends_after_it_starts(
    ready: dict[str, Any], data: Path
) -> None:
    """RFC 5545, section 3.3.5: by the clocks from before."""
    app = create_app(ready)
    async with app.test_app():
        async with app.app_context(), reading() as session:
            (alice,) = await session.scalars(select(User))
        span = {"start": "2030-05-05T02:30", "end": "2030-05-05T03:10"}
        await make(app, alice, "Night", **span)
    await start(ready, data, "CET-1CEST,M5.1.0,M10.5.0/3")
    assert (await instants(ready))["Night"] == ("01:30", "02:10")


async def test_however_many_they_are_all_are_derived_again(
    ready: dict[str, Any], data: Path
) -> None:
    app = create_app(ready)
    async with opened(app):
        async with app.app_context(), reading() as session:
            (alice,) = await session.scalars(select(User))
        span = ("2030-07-01T09:30", "2030-07-01T10:30")
        await add(app, alice, *(timed(f"{number}", *span) for number in range(2 * upkeep.BATCH)))
    await start(ready, data, NO_SUMMER)
    found = await instants(ready)
    assert len(found) == 2 * upkeep.BATCH + 3
    assert {found[f"{number}"] for number in range(2 * upkeep.BATCH)} == {("08:30", "09:30")}


async def test_nodes_that_start_at_once_derive_it_once_and_for_all(
    ready: dict[str, Any], data: Path
) -> None:
    served = 1 if "sqlite" in ready["DATABASE_URL"] else 3
    await asyncio.gather(*(start(ready, data, NO_SUMMER) for _ in range(served)))
    assert (await instants(ready))["Berlin"] == ("08:30", "09:30")
    assert await kept(ready) not in ("", zones.fingerprint("Europe/Berlin"))


@pytest.mark.databases("postgresql")
async def test_what_a_node_with_the_old_rules_writes_later_is_derived_by_the_next_start(
    ready: dict[str, Any], data: Path
) -> None:
    app = create_app(ready)
    async with app.test_app():
        await start(ready, data, NO_SUMMER)
        async with app.app_context(), reading() as session:
            (alice,) = await session.scalars(select(User))
        assert await make(app, alice, "Late")
        assert (await instants(ready))["Late"] == ("07:30", "08:30")
        assert await kept(ready) == ""
    await start(ready, data, NO_SUMMER)
    assert (await instants(ready))["Late"] == ("08:30", "09:30")
    assert await kept(ready) != ""


async def test_a_start_after_which_nothing_has_changed_writes_nothing(
    ready: dict[str, Any],
) -> None:
    before = await kept(ready)
    assert before == zones.fingerprint("Europe/Berlin")
    async with create_app(ready).test_app():
        assert await kept(ready) == before


async def test_a_zone_that_the_data_do_not_have_stops_nothing(ready: dict[str, Any]) -> None:
    app = create_app(ready)
    async with opened(app), app.app_context(), begin() as session:
        session.add(Zone(name="Mars/Olympus", fingerprint="old"))
    async with create_app(ready).test_app():
        assert zones.fingerprint("Mars/Olympus") == ""


def test_zones_of_the_same_rules_have_the_same_fingerprint_and_no_others() -> None:
    names = ("Europe/Berlin", "Arctic/Longyearbyen", "Europe/Paris", "UTC")
    berlin, longyearbyen, paris, utc = (zones.fingerprint(name) for name in names)
    assert berlin == longyearbyen
    assert len({berlin, paris, utc}) == 3


def test_the_changes_of_a_zone_are_found_to_the_second() -> None:
    year = datetime(2027, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    ramadan = [datetime(2027, 2, 7, 2, tzinfo=UTC), datetime(2027, 3, 14, 2, tzinfo=UTC)]
    assert list(changes("Africa/Casablanca", *year)) == ramadan
    assert list(changes("UTC", *year)) == []
