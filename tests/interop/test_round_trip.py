"""A whole account goes from one place to another, and is there what it was here."""

from quart import Quart

from sched_async.appointments import changes
from sched_async.database import begin
from sched_async.ics.derive import derive
from sched_async.ics.foreign import Summary, contents, found
from sched_async.models import Appointment, Calendar, User
from sched_async.testing import Client, signed_in
from sched_async.times import now

from ..pages import text as text_of
from ..rows import all_rows
from .corpus import EXAMPLES
from .test_import_pages import previewed


async def test_every_file_of_the_corpus_goes_out_and_comes_in_again(
    app: Quart, hers: Client, alice: User, mallory: User
) -> None:
    """What one calendar gives, another takes back whole, with nothing to say of it."""
    texts = {}
    for number, example in enumerate(EXAMPLES):
        for one in found(example.data, now(), Summary()):
            if one.made is not None:
                text = one.made.ics.replace("UID:", f"UID:{number}-")
                texts[derive(text, now()).columns["uid"]] = text
    async with app.app_context(), begin() as db:
        first = (await db.scalars(Calendar.readable_by(alice.id))).one()
        async with changes.act(db, alice.id, "import") as act:
            for text in texts.values():
                act.put(first.id, derive(text, now()))
    whole = await (await hers.get(f"/calendars/{first.id}.ics")).get_data(as_text=False)
    his = await signed_in(app, mallory.email)
    address = await previewed(his, whole, calendar="0")
    answer = await his.post(address)
    assert answer.status_code == 303, (await text_of(answer)).partition('role="alert"')[2][:300]
    rows = [one for one in await all_rows(app, Appointment) if one.calendar_id != first.id]
    assert {one.uid for one in rows} == set(texts)
    before = {one.uid: one for one in await all_rows(app, Appointment) if one not in rows}
    for row in rows:
        mine = derive(before[row.uid].ics, now()).occurrences
        assert derive(row.ics, now()).occurrences == mine, row.uid
        events = [_events(one.ics) for one in (row, before[row.uid])]
        assert events[0] == events[1]
    assert (
        await his.get(await previewed(his, whole, calendar=str(rows[0].calendar_id)))
    ).status_code == 200


def _events(text: str) -> list[str]:
    return [one for one in contents(text) if one.startswith("VEVENT")]
