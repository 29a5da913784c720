"""A sign-in between its two steps: the password was right, the second factor is awaited.

There is no login session yet, only permission to take the second step, in this
browser, for five minutes and five wrong codes, as long as the account stays as it was.
(OWASP ASVS 5.0, 6.3.3 and 6.6.2.)
"""

from datetime import timedelta
from typing import Any

from quart import redirect, request, session, url_for
from quart.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ...database import reading
from ...models import OneTimeToken, User
from .. import known_browsers, one_time_links
from ..factors import state
from ..one_time_links import SECOND_STEP
from ..tokens import hash_token

LIFETIME = timedelta(minutes=5)
MOST_WRONG = 5


async def is_needed(db: AsyncSession, user: User) -> bool:
    """Whether the right password is not enough for this account in this browser."""
    return user.has_second_factor and not await known_browsers.is_trusted(db, user.id)


async def start(
    db: AsyncSession, user: User, remember: bool, wanted: str, carried: str
) -> ResponseReturnValue:
    """Commit what is needed for the second step, and lead there."""
    data = {"remember": remember, "next": wanted, "carried": carried, "wrong": 0}
    data["state"] = state(user)
    session[SECOND_STEP] = await one_time_links.new(
        db, SECOND_STEP, LIFETIME, user_id=user.id, data=data
    )
    await db.commit()
    return redirect(url_for("login_second_step.ask"), 303)


async def locked(db: AsyncSession) -> tuple[OneTimeToken, User] | None:
    """The step that this browser may take, and its user; others wait their turn.

    The account is locked first, so that the step is read after any earlier request has finished.
    """
    good = one_time_links.good(SECOND_STEP, await one_time_links.carried(SECOND_STEP))
    whose = select(User).join(OneTimeToken, OneTimeToken.user_id == User.id)
    user = await db.scalar(whose.where(*good, User.is_active).with_for_update(of=User))
    step = await db.scalar(select(OneTimeToken).where(*good).with_for_update())
    if user is None or step is None or step.data["state"] != state(user):
        return None
    return step, user


def onward(step: OneTimeToken) -> dict[str, Any]:
    """What was asked for at the first step."""
    asked = step.data
    return {
        "remember": asked["remember"],
        "wanted": asked["next"],
        "carried": asked.get("carried", ""),
    }


def to_keep(step: OneTimeToken) -> dict[str, str]:
    """What the page of the step has along, since it may outlive the step."""
    return {name: step.data.get(name, "") for name in ("next", "carried")}


async def kept() -> dict[str, str]:
    """The same of a step that is over: as its page has sent it, else as its row still has it."""
    sent = await request.form
    async with reading() as db:
        step = await db.get(OneTimeToken, hash_token(await one_time_links.carried(SECOND_STEP)))
    known = to_keep(step) if step is not None and step.purpose == SECOND_STEP else {}
    return {name: sent.get(name) or known.get(name, "") for name in ("next", "carried")}


def note_wrong(step: OneTimeToken) -> bool:
    """Count a wrong code; return whether it was one too many."""
    wrong = step.data["wrong"] + 1
    step.data = {**step.data, "wrong": wrong}
    return bool(wrong >= MOST_WRONG)
