"""Appointments as iCalendar (RFC 5545); pure, and in parts, so that nothing must fit in memory.

A calendar is ``head``, the blocks of its zones, any number of ``events``, and ``TAIL``.  An
appointment that did not change is the same bytes each time.
"""

from ..ics.content_lines import Line, Part, escaped, folded, written
from ..ics.ics_text import PRODUCT

TAIL = b"END:VCALENDAR\r\n"
CSS_COLORS = {
    "indigo": "slateblue",
    "amber": "goldenrod",
    "rose": "palevioletred",
    "brick": "firebrick",
    "sky": "steelblue",
    "plum": "purple",
    "teal": "teal",
    "olive": "olive",
    "moss": "seagreen",
    "slate": "slategray",
}
"""The names of CSS that come next to ours, each for one: RFC 7986 knows no others."""


def color_of(css: str) -> str:
    """Ours, for one of those that we write; or nothing.

    >>> color_of("SlateBlue"), color_of("#4b0082")
    ('indigo', '')
    """
    ours = {name: color for color, name in CSS_COLORS.items()}
    return ours.get(css.strip().lower(), "")


def head(name: str = "", color: str = "", *, again: bool = False) -> bytes:
    """The beginning, with what a calendar is called, for new programs and for old ones.

    With ``again`` it is to be read every hour (RFC 7986, section 5.7).
    """
    lines = [Line("BEGIN", "", "VCALENDAR"), Line("VERSION", "", "2.0")]
    lines.append(Line("PRODID", "", PRODUCT))
    if name:
        lines += [Line(one, "", escaped(name)) for one in ("NAME", "X-WR-CALNAME")]
    if color in CSS_COLORS:
        lines.append(Line("COLOR", "", CSS_COLORS[color]))
    if again:
        lines.append(Line("REFRESH-INTERVAL", ";VALUE=DURATION", "PT1H"))
        lines.append(Line("X-PUBLISHED-TTL", "", "PT1H"))
    return "".join(f"{folded(str(line))}\r\n" for line in lines).encode()


def events(calendar: Part) -> bytes:
    """The events of an appointment as they stand there, in lines as the standard wants them."""
    return "".join(map(written, calendar.parts("VEVENT"))).encode()
