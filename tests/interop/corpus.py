"""Calendar files in the dialects of the programs that people come from, written from what is
documented of them.
"""

from dataclasses import dataclass, field

BERLIN = """\
BEGIN:VTIMEZONE
TZID:{}
{}BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
TZNAME:CEST
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
TZNAME:CET
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
"""


@dataclass
class Example:
    """A file, and what has to be found in it: when all begins, in UTC, and what is said."""

    name: str
    text: str | bytes
    starts: list[str]
    changed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)
    calendar: str = ""

    @property
    def data(self) -> bytes:
        text = self.text
        return text if isinstance(text, bytes) else text.replace("\n", "\r\n").encode()


def event(*lines: str, uid: str = "1") -> str:
    named = [f"UID:{uid}"] if uid else []
    return "\n".join(["BEGIN:VEVENT", *named, "DTSTAMP:20261101T000000Z", *lines, "END:VEVENT", ""])


def calendar(*parts: str, head: str = "PRODID:-//Example//EN") -> str:
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{head}\n{''.join(parts)}END:VCALENDAR\n"


ZONE, UNTIL, UID = "Its time zone now", "The end of its rule", "It had no UID"
NINE = ("DTSTART;TZID=Europe/Berlin:20261130T090000", "DTEND;TZID=Europe/Berlin:20261130T100000")
EXAMPLES = [
    Example(
        "Google: an IANA zone with its block, whole days, a custom property",
        calendar(
            BERLIN.format("Europe/Berlin", "X-LIC-LOCATION:Europe/Berlin\n"),
            event(*NINE, "SUMMARY:Stand-up", "RRULE:FREQ=WEEKLY;COUNT=2", uid="a@google.com"),
            event("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227", "TRANSP:TRANSPARENT",
                  "SUMMARY:Christmas", uid="b@google.com"),
            head="PRODID:-//Google Inc//Google Calendar 70.9054//EN\nX-WR-CALNAME:Ada\n"
            "X-WR-TIMEZONE:Europe/Berlin\nCALSCALE:GREGORIAN\nMETHOD:PUBLISH",
        ),
        ["2026-11-30T08:00", "2026-12-07T08:00", "2026-12-24T00:00"],
        calendar="Ada",
    ),
    Example(
        "Apple: folded lines, an alarm, an override, a name of the calendar",
        calendar(
            BERLIN.format("Europe/Berlin", ""),
            event(*NINE, "SUMMARY:A title that is folded in the midd\n le of a word",
                  "RRULE:FREQ=DAILY;COUNT=2", "X-APPLE-TRAVEL-ADVISORY-BEHAVIOR:AUTOMATIC",
                  "BEGIN:VALARM", "ACTION:DISPLAY", "TRIGGER:-PT15M", "END:VALARM"),
            event("RECURRENCE-ID;TZID=Europe/Berlin:20261201T090000",
                  "DTSTART;TZID=Europe/Berlin:20261201T140000",
                  "DTEND;TZID=Europe/Berlin:20261201T150000", "SUMMARY:Later"),
            head="PRODID:-//Apple Inc.//macOS 14.0//EN\nX-WR-CALNAME:Home",
        ),
        ["2026-11-30T08:00", "2026-12-01T13:00"],
        calendar="Home",
    ),
    Example(
        "Outlook: Windows' name for a zone, with its block and quotes",
        calendar(
            BERLIN.format("W. Europe Standard Time", ""),
            event('DTSTART;TZID="W. Europe Standard Time":20261130T090000',
                  'DTEND;TZID="W. Europe Standard Time":20261130T100000',
                  "SUMMARY;LANGUAGE=de:Besprechung", "X-MICROSOFT-CDO-BUSYSTATUS:BUSY"),
            head="PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN\nMETHOD:PUBLISH",
        ),
        ["2026-11-30T08:00"],
        [ZONE],
    ),
    Example(
        "Outlook: the same without a block",
        calendar(event("DTSTART;TZID=W. Europe Standard Time:20261130T090000", "DURATION:PT1H")),
        ["2026-11-30T08:00"],
        [ZONE],
    ),
    Example(
        "Exchange: a zone of its own name, known by its rules alone",
        calendar(
            BERLIN.format("Customized Time Zone", ""),
            event("DTSTART;TZID=Customized Time Zone:20261130T090000", "DURATION:PT1H"),
        ),
        ["2026-11-30T08:00"],
    ),
    Example(
        "Thunderbird: a long name with the zone at its end",
        calendar(
            BERLIN.format("/mozilla.org/20070129_1/Europe/Berlin", ""),
            event("DTSTART;TZID=/mozilla.org/20070129_1/Europe/Berlin:20261130T090000",
                  "DTEND;TZID=/mozilla.org/20070129_1/Europe/Berlin:20261130T100000",
                  "X-MOZ-LASTACK:20261129T080000Z"),
        ),
        ["2026-11-30T08:00"],
        [ZONE],
    ),
    Example(
        "Nextcloud: tasks beside appointments",
        calendar(
            "BEGIN:VTODO\nUID:t\nSUMMARY:Buy milk\nEND:VTODO\n",
            event(*NINE, "CATEGORIES:Work", "COLOR:tomato"),
            "BEGIN:VJOURNAL\nUID:j\nSUMMARY:Dear diary\nEND:VJOURNAL\n",
            head="PRODID:-//Nextcloud calendar v4//EN\nREFRESH-INTERVAL;VALUE=DURATION:PT4H",
        ),
        ["2026-11-30T08:00"],
        others={"VTODO": 1, "VJOURNAL": 1},
    ),
    Example(
        "the end of a rule as a date, where its start has a time",
        calendar(event(*NINE, "RRULE:FREQ=DAILY;UNTIL=20261202")),
        ["2026-11-30T08:00", "2026-12-01T08:00", "2026-12-02T08:00"],
        [UNTIL],
    ),
    Example(
        "the end of a rule in UTC, where its start is a day",
        calendar(event("DTSTART;VALUE=DATE:20261130", "RRULE:FREQ=DAILY;UNTIL=20261201T230000Z")),
        ["2026-11-30T00:00", "2026-12-01T00:00"],
        [UNTIL],
    ),
    Example(
        "no UID at all",
        calendar(event(*NINE, "SUMMARY:Nameless", uid="")),
        ["2026-11-30T08:00"],
        [UID],
    ),
    Example(
        "floating, added dates, and one left out as a date",
        calendar(event("DTSTART:20261130T090000", "DTEND:20261130T100000", "RDATE:20261205T090000",
                       "RRULE:FREQ=DAILY;COUNT=3", "EXDATE;VALUE=DATE:20261201")),
        ["2026-11-30T09:00", "2026-12-02T09:00", "2026-12-05T09:00"],
    ),
    Example(
        "an override without its master",
        calendar(event("RECURRENCE-ID:20261130T080000Z", "DTSTART:20261130T100000Z",
                       "DTEND:20261130T110000Z")),
        ["2026-11-30T10:00"],
    ),
    Example(
        "two versions of one: the newer counts",
        calendar(
            event("DTSTART:20261130T080000Z", "SEQUENCE:2", "SUMMARY:New"),
            event("DTSTART:20261130T070000Z", "SEQUENCE:1", "SUMMARY:Old"),
        ),
        ["2026-11-30T08:00"],
        refused=["The file has a newer version of it."],
    ),
    Example(
        "a byte order mark, bare line feeds, a tab as the fold, an emoji folded apart",
        b"\xef\xbb\xbf"
        + calendar(event("DTSTART:20261130T080000Z", "SUMMARY:Party @")).encode().replace(
            b"@", b"\xf0\x9f\n\t\x8e\x89"
        ),
        ["2026-11-30T08:00"],
    ),
    Example(
        "UTF-16, as some editors write it",
        calendar(event("DTSTART:20261130T080000Z")).encode("utf-16"),
        ["2026-11-30T08:00"],
    ),
    Example(
        "two calendars in one file, each with its own zone of the same name",
        calendar(BERLIN.format("Mine", ""), event("DTSTART;TZID=Mine:20261130T090000"))
        + calendar(
            BERLIN.format("Mine", "").replace("0100", "0300").replace("0200", "0400"),
            event("DTSTART;TZID=Mine:20261130T090000", uid="2"),
        ),
        ["2026-11-30T06:00", "2026-11-30T08:00"],
    ),
    Example(
        "some that cannot be read beside one that can",
        calendar(
            event("SUMMARY:No start", uid="a"),
            event("DTSTART:20261330T080000Z", uid="b"),
            event("DTSTART:20261130T080000Z", "RRULE:FREQ=SECONDLY", uid="c"),
            event("DTSTART:20261130T080000Z", "RRULE:FREQ=YEARLY;UNTIL=2026", uid="d"),
            event("DTSTART:20261130T080000Z", "no colon here", uid="e"),
            event("DTSTART:20261130T080000Z", uid="f"),
        ),
        ["2026-11-30T08:00"],
        refused=["It has no start.", "It has a date that cannot be read: 20261330T080000Z.",
                 "It repeats more often than hourly", "It has a date that cannot be read: 2026.",
                 "This is not calendar data."],
    ),
]  # fmt: skip
