"""Change an appointment; of a series one, this and following, or all."""

import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import Any

from quart import flash, request
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from werkzeug.exceptions import UnprocessableEntity

from ..accounts.sessions import current_user, login_required
from ..carried_form import CarriedForm
from ..database import db, reading
from ..error_pages import http_error
from ..errors import RefusedError
from ..ics.derive import Derived
from ..ics.ics_text import patched
from ..ics.scopes import Edit, Edited, MissingError, edited, ringing_alone
from ..models import Act
from ..security.csrf import FIELD
from ..times import now
from . import changes, conflicts, overlaps
from .acts import ChangedError, RepeatedError, TakenError
from .crud import blueprint
from .expanding import derived, in_thread
from .forms import AppointmentForm
from .messages import flash_undo
from .reading import find_appointment, own_calendars, revision_of
from .saving import NOT_CLEAR, refuse, said, sent_form, show_form, shown_zone, to_detail
from .shown import Shown, shown_of
from .which import show_which

KINDS = {"one": "edit_one", "following": "edit_following", "all": "edit"}


@blueprint.route("/appointments/<int:appointment_id>/edit/", methods=["GET", "POST"])
@login_required
async def edit(appointment_id: int) -> ResponseReturnValue:
    """Show the form for one appointment, and save what it sends."""
    on = request.args.get("on")
    if (shown := await _shown(appointment_id, on)) is None:
        return await _gone(on)
    if shown.row.is_followed:
        return await http_error(UnprocessableEntity(), changes.FOLLOWED)
    facts, row = shown.facts, shown.row
    given: dict[str, Any] = {"calendars": await own_calendars(), "repeated": shown.repeated}
    if request.method == "POST":
        form = AppointmentForm(await sent_form(shown_zone(facts), row.calendar_id), facts, **given)
        if form.validate() and (answer := await _save(form, shown)):
            return answer
    else:
        facts = replace(facts, timezone=shown_zone(facts))
        hidden = {"calendar": row.calendar_id, "revision": revision_of(row)}
        form = AppointmentForm(obj=facts, **given, **hidden)
    is_silent = row.is_silent and bool(row.reminders)
    return await show_form(form, appointment_id=appointment_id, on=shown.on, is_silent=is_silent)


async def _save(form: AppointmentForm, shown: Shown) -> ResponseReturnValue | None:
    """Change it as the form differs from what is kept; once more where that has changed."""
    is_moved = form.calendar.data != shown.row.calendar_id
    wanted = Edit(shown.facts, form.facts(), shown.repeated, form.wanted_repeat(), is_moved)
    number, on = shown.row.id, shown.on or None
    now_there: Shown | None = shown
    while now_there:
        try:
            if form.revision.data and form.revision.data != revision_of(now_there.row):
                return await conflicts.show_both(form, now_there) or await _unchanged(now_there)
            return await _replace(form, wanted, now_there)
        except MissingError:
            break
        except RepeatedError as repeated:
            await db.rollback()
            return to_detail(repeated.appointment_id)
        except (ChangedError, RefusedError, TakenError) as error:
            await db.rollback()
            if await refuse(form, error):
                return None
        now_there = await _shown(number, on)
    return await _gone(on)


async def _gone(on: str | None) -> ResponseReturnValue:
    """Where the same form sent before has led, as when a button is pressed twice; else 409."""
    if on is not None and (key := await _key()):
        mine = (Act.user_id == current_user.user_id, Act.submission == key)
        async with reading() as db:
            number = await db.scalar(select(Act.appointment_id).where(*mine))
        if number is not None:
            return to_detail(number)
    return await conflicts.show_deleted(is_one=on is not None)


async def _key() -> str | None:
    """Names the form as it was sent, and which one it was about."""
    sent = await request.form
    if not sent.get("submission"):
        return None
    fields = sorted(pair for pair in sent.items(multi=True) if pair[0] not in (FIELD, "revision"))
    about = [request.path, request.args.get("on"), *fields]
    return sha256(json.dumps(about).encode()).hexdigest()


async def _shown(appointment_id: int, on: str | None) -> Shown | None:
    """As it is now; None where it is not there any more."""
    while row := await find_appointment(appointment_id):
        with suppress(ChangedError):  # between the two readings
            return await shown_of(row, on)
    return None


async def _replace(form: AppointmentForm, wanted: Edit, shown: Shown) -> ResponseReturnValue:
    row, target = shown.row, form.calendar.data
    if wanted.changes_nothing and target == row.calendar_id:
        return await _unchanged(shown)
    if not shown.on and form.scope.data not in ("", "all"):
        raise RefusedError(NOT_CLEAR, "scope")
    scope = form.scope.data if shown.on else "all"
    if not scope:
        return await _ask(wanted, shown)
    is_loud = wanted.wanted.reminders != wanted.shown.reminders
    new = await _edited(wanted, shown, scope)
    if row.is_silent and is_loud and scope == "one":
        new = replace(new, text=await in_thread(partial(ringing_alone, new.text, shown.on)))
    if scope == "one" and new.text == await shown.text():
        return await _unchanged(shown)
    title, made = wanted.wanted.title, await derived(new.text)
    kind = "move" if wanted.changes_nothing else KINDS[scope]
    key = await _key() if shown.on and scope != "one" else None
    async with changes.act(db, current_user.user_id, kind, title, submission=key) as act:
        if new.following is not None:
            earlier, made = made, await derived(new.following)
            step = act.put(target, made, is_fresh=True, is_silent=row.is_silent and not is_loud)
            act.replace(row, earlier)
        else:
            target = row.calendar_id if scope == "one" else target
            step = act.replace(row, made, target, is_silent=False if is_loud else None)
    await db.commit()
    on = shown.on if scope == "one" else _where(made, wanted)
    only = on if scope == "one" else None
    message = await overlaps.after_saving(step.id, made, form.calendar_ids, only=only)
    await flash_undo(message + said(new), act.id)
    return to_detail(step.id, on if shown.on else None)


async def _edited(wanted: Edit, shown: Shown, scope: str) -> Edited:
    text = await shown.text()
    if shown.repeated == wanted.repeat and not shown.item.repeats:
        return Edited(patched(text, wanted.shown, wanted.wanted, now()))
    return await in_thread(partial(edited, text, shown.on, scope, wanted, now()))


def _where(made: Derived, wanted: Edit) -> str | None:
    """The key of the one that the form showed, if it stands where the form said."""
    wall = wanted.wanted.start
    key = wall.date().isoformat() if wanted.wanted.allday else wall.isoformat(timespec="minutes")
    return key if any(one["recurrence_id"] == key for one in made.occurrences) else None


async def _ask(wanted: Edit, shown: Shown) -> ResponseReturnValue:
    """Which ones are meant; a rule, or a calendar, is not changed for one alone."""
    is_of_all = wanted.changes_rule or wanted.changes_calendar
    scopes = ["following", "all"] if is_of_all else ["one", "following", "all"]
    carried = await CarriedForm.of_request()
    return await show_which(shown, carried, scopes, "Change"), 422


async def _unchanged(shown: Shown) -> ResponseReturnValue:
    """It is as wanted already."""
    await flash("Saved.", "success")
    return to_detail(shown.row.id, shown.on)
