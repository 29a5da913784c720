"""Paths of this site, which is all that an address from outside may lead to."""

import re
from urllib.parse import unquote, urlsplit

from quart import current_app, request, url_for

from .database import SAFE_METHODS

NOT_LOCAL = re.compile(r"[\\\x00-\x1f\x7f]|^//|^(?!/)")


def local_path(wanted: str | None) -> str:
    """``wanted`` if it is the address of a page of this site, else the appointments."""
    is_good = wanted and is_local(wanted) and is_page(unquote(urlsplit(wanted).path))
    return wanted if wanted and is_good else url_for("appointments.index")


def is_page(path: str) -> bool:
    """Whether it can be shown: asked for with GET."""
    adapter = current_app.create_url_adapter(request)
    return adapter is not None and adapter.test(path, "GET")


def page_to_return_to() -> str:
    """What was asked for; of what only takes what is sent, the nearest page above it."""
    path = request.path
    while path != "/" and not is_page(path):
        path = path.rstrip("/").rpartition("/")[0] + "/"
    query = request.query_string.decode("utf-8", "replace")
    return f"{path}?{query}" if query and request.method in SAFE_METHODS else path


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
