"""The same person and the same fifty appointments for both sides of a comparison."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from werkzeug.security import generate_password_hash

from bench import reference
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.database import begin
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import Facts, new_text
from sched_async.lifespan import working
from sched_async.models import Calendar
from sched_async.times import now

EMAIL = "ada@example.org"
PASSWORD = "seven quiet otters in the rain"
ZONE = "Europe/Berlin"
TITLE = "Meeting number"
SHOWN = 7  # the id of one of them


def first_day() -> datetime:
    """The first of the next month, so that one month shows all fifty."""
    return (datetime.now().replace(day=28) + timedelta(days=4)).replace(day=1)


def appointments() -> list[dict[str, object]]:
    """Two a day, with a place and a few words."""
    begin = first_day().replace(hour=9, minute=0, second=0, microsecond=0)
    starts = [begin + timedelta(hours=12 * number) for number in range(50)]
    return [
        {
            "title": f"{TITLE} {number}",
            "start": start,
            "end": start + timedelta(minutes=90),
            "location": f"Room {number}" if number % 2 else "",
            "description": "What we said last time,\nand what we say next.",
        }
        for number, start in enumerate(starts, start=1)
    ]


async def fill(folder: Path) -> dict[str, str]:
    """Fill a database of this application; gives the environment to serve it with."""
    async with working(create_app({"DATA_DIR": folder}), make=True):
        ada = await create_account(name="Ada", email=EMAIL, password=PASSWORD, timezone=ZONE)
        async with begin() as db:
            calendar = (await db.scalars(Calendar.readable_by(ada.id))).one()
            async with changes.act(db, ada.id, "import") as act:
                for given in appointments():
                    facts = Facts(**given, allday=False, timezone=ZONE)  # type: ignore[arg-type]
                    act.put(calendar.id, derive(new_text(facts, now()), now()), is_fresh=True)
    return {"SCHED_DATA_DIR": str(folder)}


def fill_reference(path: Path) -> dict[str, str]:
    """The same for the reference."""
    environment = {"REFERENCE_DB": str(path)}
    os.environ.update(environment)
    with reference.create_app().app_context():
        reference.db.create_all()
        hashed = generate_password_hash(PASSWORD)
        reference.db.session.add(reference.User(name="Ada", email=EMAIL, password_hash=hashed))
        reference.db.session.flush()
        rows = (reference.Appointment(user_id=1, **facts) for facts in appointments())
        reference.db.session.add_all(rows)
        reference.db.session.commit()
    return environment
