"""Asks which of a series are meant, and says of each answer what it would be about."""

from collections.abc import Sequence
from datetime import date

from quart import render_template

from ..carried_form import CarriedForm
from ..human_dates import long_date
from ..plurals import counted
from .expanding import derived
from .shown import Shown


async def show_which(shown: Shown, carried: CarriedForm, scopes: Sequence[str], verb: str) -> str:
    """``verb`` is Change or Delete; what was sent to get here is sent again with the answer."""
    return await render_template(
        "appointments/which.html",
        item=shown.item,
        carried=carried,
        scopes=scopes,
        verb=verb,
        reach=await _reach(shown),
    )


async def _reach(shown: Shown) -> dict[str, str]:
    """How many dates each scope would be about, in words."""
    made = await derived(await shown.text())
    keys = sorted(one["recurrence_id"] for one in made.occurrences)
    following = [key for key in keys if key >= shown.on] or [shown.on]
    is_endless = made.columns["expanded_until"] is not None
    return {
        "one": shown.item.day,
        "following": _dates(following, is_endless),
        "all": _dates(keys, is_endless),
    }


def _dates(keys: Sequence[str], is_endless: bool) -> str:
    first, last = (long_date(date.fromisoformat(key[:10])) for key in (keys[0], keys[-1]))
    if is_endless:
        return f"from {first} onwards"
    return f"{counted(len(keys), 'date')}, the last on {last}"
