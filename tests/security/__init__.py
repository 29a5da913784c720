"""What nobody may get past: forged, broken and hostile requests, and every answer's headers.

The helpers here look at an answer, or at the whole database, from outside.
"""

import re

from quart import Response
from quart.testing import QuartClient

from ..rows import contents

TOKEN = re.compile(r"[\w-]{16}\.[0-9a-f]{64}")
REQUEST_ID = re.compile(r"[0-9a-f]{16}")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


def policy(response: Response) -> dict[str, str]:
    """The directives of the one Content-Security-Policy of an answer."""
    (header,) = response.headers.getlist("Content-Security-Policy")
    return {
        name: value
        for name, _, value in (part.strip().partition(" ") for part in header.split(";"))
    }


def assert_secured(response: Response) -> None:
    """An answer that no browser can be talked into misusing, and that can be found in the log."""
    for name, value in SECURITY_HEADERS.items():
        assert response.headers.getlist(name) == [value], name
    directives = policy(response)
    assert "unsafe" not in " ".join(directives.values())
    for name in ("default-src", "object-src", "base-uri", "frame-ancestors"):
        assert directives[name] == "'none'", name
    assert directives["form-action"] == "'self'"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert "Access-Control-Allow-Origin" not in response.headers
    assert "Server" not in response.headers
    (request_id,) = response.headers.getlist("X-Request-ID")
    assert REQUEST_ID.fullmatch(request_id)


async def refused(
    client: QuartClient, path: str, *, method: str = "POST", **given: object
) -> Response:
    """Send what must not work: nothing changes, nothing breaks, the answer is a safe one."""
    before = await contents(client.app)
    response: Response = await client.open(path, method=method, **given)  # type: ignore[arg-type]
    assert 400 <= response.status_code < 500, response.status_code
    assert_secured(response)
    assert await contents(client.app) == before
    return response


async def same_for_all(response: Response) -> str:
    """The page without what differs each time: its CSRF tokens and its request's id."""
    page = TOKEN.sub("", await response.get_data(as_text=True))
    return page.replace(response.headers["X-Request-ID"], "")
