"""Where a request comes from: its network address, and its browser in words."""

from functools import lru_cache

from quart import has_request_context, request
from ua_parser import parse

MAX_USER_AGENT = 255
UNKNOWN = "Unknown browser"


def origin() -> dict[str, str]:
    """``address`` and ``user_agent`` of the request; both empty for the command line.

    The address is the peer's, or what trusted proxies say of theirs.
    """
    if not has_request_context():
        return {"address": "", "user_agent": ""}
    agent = "".join(filter(str.isprintable, request.headers.get("User-Agent", "")))
    return {"address": (request.remote_addr or "")[:45], "user_agent": agent[:MAX_USER_AGENT]}


@lru_cache(1024)
def describe(user_agent: str) -> str:
    """A browser in words.

    >>> describe("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
    'Firefox on Linux'
    >>> describe("")
    'Unknown browser'
    """
    found = parse(user_agent)
    names = [part.family for part in (found.user_agent, found.os) if part is not None]
    return " on ".join(names) or UNKNOWN
