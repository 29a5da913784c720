"""Wall-clock times, IANA zones and instants.

The wall-clock time and the zone that somebody meant are the truth; the instant (UTC)
is derived from them.  Functions here take and return naive ``datetime`` for wall
clocks and aware ones, always in UTC, for instants.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from .errors import RefusedError

MINUTE = timedelta(minutes=1)
STEP = 3 * 24 * 3600  # seconds: the shortest stay on record is four days (Freetown, 1939)
NOT_PLACES = ("Factory", "localtime", "posixrules")


class SkippedTimeError(ValueError):
    """A wall-clock time that a change of the clocks skips.

    ``before`` and ``after`` are the nearest wall-clock minutes that exist.
    """

    def __init__(self, wall: datetime, before: datetime, after: datetime) -> None:
        super().__init__(f"{wall} does not exist")
        self.before = before
        self.after = after


def now() -> datetime:
    return datetime.now(UTC)


def to_utc(wall: datetime, zone: str) -> datetime:
    """The instant of a wall-clock time; of one that happens twice, the first.

    Raises SkippedTimeError for one that does not happen.
    """
    instant = first_instant(wall, zone)
    if to_wall(instant, zone) != wall:
        raise SkippedTimeError(wall, _nearest(wall, zone, -MINUTE), _nearest(wall, zone, MINUTE))
    return instant


def to_wall(instant: datetime, zone: str) -> datetime:
    """What the clocks of a zone show at an instant, naive."""
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def happens_twice(wall: datetime, zone: str) -> bool:
    first = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    return first.astimezone(UTC) < first.replace(fold=1).astimezone(UTC)


def existing(wall: datetime, zone: str) -> datetime:
    """The same wall-clock time; of one that is skipped, as much later as clocks move on."""
    return to_wall(first_instant(wall, zone), zone)


def first_instant(wall: datetime, zone: str) -> datetime:
    """The instant of a wall-clock time; of one that is skipped, by the clocks from before."""
    return wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


def changes(zone: str, first: datetime, last: datetime) -> Iterator[datetime]:
    """The instants from ``first`` to ``last`` at which the clocks of a zone change."""
    place, low, end = ZoneInfo(zone), int(first.timestamp()), int(last.timestamp())
    before = _offset(place, low)
    while low < end:
        high = min(low + STEP, end)
        if _offset(place, high) == before:
            low = high
            continue
        low = _change(place, low, high)
        before = _offset(place, low)
        yield datetime.fromtimestamp(low, UTC)


def _change(place: ZoneInfo, low: int, high: int) -> int:
    """The first second after ``low`` that is not by its clocks any more."""
    before = _offset(place, low)
    return low + bisect_left(range(low, high), True, key=lambda at: _offset(place, at) != before)


def _offset(place: ZoneInfo, seconds: int) -> timedelta | None:
    return datetime.fromtimestamp(seconds, place).utcoffset()


def day_start(day: date, zone: str) -> datetime:
    """The instant at which a day begins; where midnight is skipped, the end of the gap."""
    return first_instant(datetime.combine(day, time()), zone)


def _nearest(wall: datetime, zone: str, step: timedelta) -> datetime:
    """Walk minute by minute: the longest gap on record is one day (Samoa, 2011)."""
    wall = wall.replace(second=0)
    while existing(wall, zone) != wall:
        wall += step
    return wall


@cache
def _names() -> dict[str, str]:
    """Every zone name by its lower-case form."""
    names = files("tzdata").joinpath("zones").read_text("utf-8").split()
    return {name.lower(): name for name in names if name not in NOT_PLACES}


@cache
def zone_names() -> tuple[str, ...]:
    """The names to offer: cities by region, and UTC."""
    regions = ("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia")
    offered = (*regions, "Europe", "Indian", "Pacific")
    return ("UTC", *sorted(name for name in _names().values() if name.split("/")[0] in offered))


def all_zones() -> frozenset[str]:
    """Every name of IANA's, as it is written."""
    return frozenset(_names().values())


def find_zone(text: str) -> str | None:
    """The zone of that name, however its letters are capitalised, or None."""
    return _names().get(text.strip().lower())


def canonical_zone(text: str) -> str:
    """The same, or RefusedError."""
    zone = find_zone(text)
    if zone is None:
        raise RefusedError("Unknown time zone. Try one like Europe/London.", "timezone")
    return zone
