"""Names of files, made of what people call things, that every system can save; pure."""

import re
from collections.abc import Iterable, Iterator
from unicodedata import category, normalize
from urllib.parse import quote

MOST_OCTETS = 120
FORBIDDEN = re.compile(r'[<>:"/\\|?*%]')
DEVICES = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9])(\..*)?\Z", re.IGNORECASE)


def safe(name: str, instead: str) -> str:
    """The name without what a file system or a terminal could misread; else ``instead``.

    >>> safe("Work / 2026: plans", "calendar")
    'Work 2026 plans'
    >>> safe("../..", "calendar"), safe("CON", "calendar")
    ('calendar', 'calendar')
    """
    shown = (char if category(char)[0] not in "CZ" else " " for char in normalize("NFC", name))
    words = " ".join(FORBIDDEN.sub(" ", "".join(shown)).split())
    short = words.encode()[:MOST_OCTETS].decode(errors="ignore").strip(". ")
    return instead if not short or DEVICES.match(short) else short


def different(names: Iterable[str], instead: str) -> Iterator[str]:
    """Each of them as a safe one that no other is, also where capitals do not count.

    >>> list(different(["Home", "home", "Home (2)"], "calendar"))
    ['Home', 'home (2)', 'Home (2) (2)']
    """
    taken = set[str]()
    for name in names:
        new = first = safe(name, instead)
        number = 1
        while normalize("NFKC", new).casefold() in taken:
            number += 1
            new = f"{first} ({number})"
        taken.add(normalize("NFKC", new).casefold())
        yield new


def disposition(name: str) -> str:
    """The header of a download: a name in ASCII, and the whole one for those who read it.

    >>> disposition("Zahnärztin.ics")
    'attachment; filename="Zahnarztin.ics"; filename*=UTF-8\\'\\'Zahn%C3%A4rztin.ics'
    """
    plain = normalize("NFKD", name).encode("ascii", "ignore").decode()
    stem, dot, suffix = plain.rpartition(".")
    header = f'attachment; filename="{safe(stem, "calendar")}{dot}{suffix}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"
