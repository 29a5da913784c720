"""What stands round every view: where else one can go from here."""

from dataclasses import dataclass
from datetime import date, datetime, time
from urllib.parse import urlencode

from quart import request, url_for

from ...human_times import short_clock
from ...models import User
from .periods import Period, neighbours, period, title

VIEWS = {"month": "Month", "week": "Week", "day": "Day", "agenda": "Agenda"}
MORNING = "09:00"


@dataclass(frozen=True)
class Addresses:
    """Of the views, and of the form; a month has a hundred, so that no route is asked for each.

    What is looked for goes along from view to view.
    """

    calendar: str
    form: str
    query: str

    @classmethod
    def here(cls) -> "Addresses":
        words = request.args.get("q", "")
        query = f"?{urlencode({'q': words})}" if words else ""
        return cls(url_for("views.index"), url_for("appointments.create"), query)

    def view(self, view: str, key: str) -> str:
        return f"{self.calendar}{view}/{key}/{self.query}"

    def of(self, view: str, day: date, week_start: int) -> str:
        return self.view(view, period(view, day, week_start).key)

    def day(self, day: date) -> str:
        return self.view("day", day.isoformat())

    def create(self, day: date) -> str:
        """The form, with a morning proposed."""
        return f"{self.form}?start={day.isoformat()}T{MORNING}"


@dataclass(frozen=True)
class Frame:
    shown: Period
    user: User
    today: date
    addresses: Addresses

    @property
    def title(self) -> str:
        return title(self.shown)

    @property
    def has_today(self) -> bool:
        return self.shown.holds(self.today)

    @property
    def anchor(self) -> date:
        """By which day the other views are found: today, where it is in sight."""
        return self.today if self.has_today else self.shown.anchor

    @property
    def views(self) -> list[tuple[str, str, str]]:
        return [(view, name, self.url(view, self.anchor)) for view, name in VIEWS.items()]

    @property
    def stepper(self) -> tuple[str | None, str, str | None]:
        """The addresses of the one before, of today, and of the one after."""
        around = neighbours(self.shown, self.user.week_start)
        before, after = (self.url_of(one.view, one.key) if one else None for one in around)
        return before, self.url(self.shown.view, self.today), after

    def url(self, view: str, day: date) -> str:
        return self.addresses.of(view, day, self.user.week_start)

    def url_of(self, view: str, key: str) -> str:
        return self.addresses.view(view, key)

    def day_url(self, day: date) -> str:
        return self.addresses.day(day)

    def create_url(self, day: date) -> str:
        return self.addresses.create(day)

    @property
    def new_url(self) -> str:
        """The form proposes the next hour, or a morning in what is looked at."""
        return self.addresses.form if self.has_today else self.create_url(self.anchor)

    def hour(self, hour: int) -> str:
        return self.time(time(hour % 24))

    def time(self, wall: datetime | time) -> str:
        return short_clock(wall, self.user.clock_hours)
