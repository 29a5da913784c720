"""Paths of this site, which is all that an address from outside may lead to."""

import re
from urllib.parse import urlsplit

from quart import url_for

NOT_LOCAL = re.compile(r"[\\\x00-\x1f\x7f]|^//|^(?!/)")


def local_path(wanted: str | None) -> str:
    """``wanted`` if it is a path of this site, else the appointments."""
    return wanted if wanted and is_local(wanted) else url_for("appointments.index")


def is_local(wanted: str) -> bool:
    """Whether it is a path of this site.

    Browsers read a backslash as a slash and drop control characters, so neither may
    occur: ``/\\\\evil.example`` would lead away.
    """
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return False
    return not (parts.scheme or parts.netloc or NOT_LOCAL.search(wanted))
