"""Calendar files to measure with: an honest one of many kinds, and hostile ones of every kind."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta

MOST = 10 * 1024 * 1024 - 1024  # bytes
FIRST = date(2026, 1, 5)  # a Monday
ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
WORDS = "What we said last time\\, and what we say next.\\nThe room is the one behind the stairs. "
UTC = "DTSTART:20261130T080000Z"
BERLIN = "DTSTART;TZID=Europe/Berlin:20261130T080000"
OWN_ZONE = """\
BEGIN:VTIMEZONE
TZID:{}
BEGIN:DAYLIGHT
DTSTART:19700329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19701025T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


def event(*lines: str, uid: object = 1) -> str:
    return "\n".join(
        ("BEGIN:VEVENT", f"UID:{uid}", "DTSTAMP:20261101T000000Z", *lines, "END:VEVENT", "")
    )


def calendar(*parts: str) -> bytes:
    head = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Example//EN\n"
    return f"{head}{''.join(parts)}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def honest(count: int) -> bytes:
    """Of ten appointments one of whole days, one a series with a changed date, two with alarms."""
    events = ("".join(_one(number)) for number in range(count))
    return calendar(*(OWN_ZONE.format(zone) for zone in ("Our own time", *ZONES)), *events)


def _one(number: int) -> Iterator[str]:
    day, kind = FIRST + timedelta(days=number // 4), number % 10
    zone = "Our own time" if kind == 5 else ZONES[number % len(ZONES)]
    at, uid = f"{day:%Y%m%d}T{8 + number % 9:02}3000", f"{number}@example.org"
    texts = (f"SUMMARY:Meeting number {number}", f"LOCATION:Room {number % 40}")
    times = (f"DTSTART;TZID={zone}:{at}", "DURATION:PT1H30M")
    if kind == 0:
        times = (f"DTSTART;VALUE=DATE:{day:%Y%m%d}", f"DTEND;VALUE=DATE:{day + 2 * DAY:%Y%m%d}")
    more: tuple[str, ...] = (f"DESCRIPTION:{WORDS * (20 if kind == 3 else 1)}",)
    if kind in (2, 7):
        alarm = ("BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:Soon", "TRIGGER:-PT15M")
        more += (*alarm, "END:VALARM")
    if kind == 1:
        more += ("RRULE:FREQ=WEEKLY;COUNT=12",)
        changed = f"RECURRENCE-ID;TZID={zone}:{day + 7 * DAY:%Y%m%d}{at[8:]}"
        yield event(*times, changed, f"SUMMARY:Moved {number}", uid=uid)
    yield event(*times, *texts, *more, uid=uid)


DAY = timedelta(days=1)


def many(times: int, *lines: str) -> bytes:
    return calendar(*(event(*lines, uid=number) for number in range(times)))


def full(*lines: str) -> bytes:
    """As many of them as a file can hold."""
    return many(MOST // (len(event(*lines)) + len(lines) + 10), *lines)


def dates(name: str, *, same: bool = False) -> str:
    first = date(2027, 1, 1)
    listed = (first + timedelta(days=0 if same else number) for number in range(3800))
    return f"{name}:" + ",".join(f"{day:%Y%m%d}T080000Z" for day in listed)


def zoned() -> Iterator[str]:
    for number in range(15_000):
        yield OWN_ZONE.format(f"Zone {number}")
        yield event(f"DTSTART;TZID=Zone {number}:20261130T080000", uid=number)


HOURS = ",".join(map(str, range(24)))
POSITIONS = ",".join(map(str, range(1, 367)))
HOSTILE: dict[str, Callable[[], bytes]] = {
    "10 MB of lines of one letter": lambda: calendar("A\n" * (MOST // 3)),
    "one line of 10 MB": lambda: calendar("X:" + "x" * MOST),
    "no line at all": lambda: b"x" * MOST,
    "900,000 folds of a line": lambda: calendar("BEGIN:VEVENT\nX:x" + "\n x" * 900_000),
    "components 100,000 deep": lambda: calendar("BEGIN:VEVENT\n" * 100_000),
    "20,000 that are empty": lambda: calendar("BEGIN:VEVENT\nEND:VEVENT\n" * 20_000),
    "150,000 calendars": lambda: calendar() * 150_000,
    "300,000 kinds of entries": lambda: calendar(
        *(f"BEGIN:X-{number}\nEND:X-{number}\n" for number in range(300_000))
    ),
    "10 MB of UTF-16": lambda: (
        "BEGIN:VCALENDAR\nX:" + "\u0800" * (MOST // 2 - 40)
    ).encode("utf-16"),
    "5,000 endless daily rules": lambda: many(5000, BERLIN, "RRULE:FREQ=DAILY"),
    "5,000 of 9,999 times": lambda: many(5000, BERLIN, "RRULE:FREQ=DAILY;COUNT=9999"),
    "20,000 every second": lambda: many(20_000, UTC, "RRULE:FREQ=SECONDLY"),
    "20,000 every hour": lambda: many(20_000, BERLIN, "RRULE:FREQ=HOURLY"),
    "20,000 that never come": lambda: many(
        20_000, BERLIN, "RRULE:FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30"
    ),
    "2,000 of 366 positions": lambda: many(
        2000, BERLIN,
        f"RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={HOURS};BYSETPOS={POSITIONS}",
    ),
    "10 MB of the same date": lambda: full(UTC, *[dates("RDATE", same=True)] * 3),
    "10 MB of dates left out": lambda: full(UTC, "RRULE:FREQ=YEARLY", *[dates("EXDATE")] * 3),
    "15,000 time zones of their own": lambda: calendar(*zoned()),
    "a time zone of every second": lambda: calendar(
        OWN_ZONE.format("Z").replace("FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU", "FREQ=SECONDLY"),
        *(event("DTSTART;TZID=Z:20261130T080000", uid=number) for number in range(2000)),
    ),
    "10 MB of quoted parameters": lambda: full(UTC, 'SUMMARY;X="' + '"":"' * 15_000 + ":x"),
    "4,000 alarms in each": lambda: full(UTC, *["BEGIN:VALARM\nTRIGGER:-PT5M\nEND:VALARM"] * 4000),
    "19,000 changes of one date": lambda: calendar(
        event(BERLIN, "RRULE:FREQ=DAILY;COUNT=9000"),
        *(event(f"RECURRENCE-{BERLIN.replace('DTSTART', 'ID')}", BERLIN, f"X-N:{number}")
          for number in range(19_000)),
    ),
}  # fmt: skip
