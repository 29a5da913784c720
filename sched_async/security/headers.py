"""Security headers and a request id on every answer, and one log line for each.

This wraps everything else, so the answers of the guard, and a 500 of last resort, carry
them too.  A header that a view has set itself is left alone.
"""

import logging
import secrets
import time
from typing import Any

from ..config import PublicUrl
from ..request_scope import of_scope

POLICY = {
    b"content-security-policy": (
        b"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; "
        b"frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"x-robots-tag": b"noindex",
    # Every page but a static file is made for one person, or holds a token.
    b"cache-control": b"no-store",
}
HSTS = {"host": b"max-age=63072000", "subdomains": b"max-age=63072000; includeSubDomains"}
# Of a form that was refused and holds no secret, for Back to lead to it without sending it again.
REFUSED = (b"cache-control", b"private, no-cache")
LAST_RESORT = b"Something went wrong. Nothing was changed; please try again.\n"

log = logging.getLogger("sched_async.access")


class Headers:
    """ASGI middleware; the outermost but for the proxies' own."""

    def __init__(self, app: Any, public_url: PublicUrl, hsts: str) -> None:
        self.app = app
        self.defaults = dict(POLICY)
        if public_url.is_https and hsts in HSTS:
            self.defaults[b"strict-transport-security"] = HSTS[hsts]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        bound = of_scope(scope)
        bound["request_id"] = secrets.token_hex(8)
        started = time.perf_counter()

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                bound["status"] = message["status"]
                message["headers"] = self.complete(message["headers"], bound)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        except Exception:
            logging.getLogger("sched_async").exception("request %s failed", bound["request_id"])
            if "status" not in bound:
                await _send_last_resort(send_with_headers)
        finally:
            _log(scope["method"], bound, time.perf_counter() - started)

    def complete(
        self, sent: list[tuple[bytes, bytes]], bound: dict[str, Any]
    ) -> list[tuple[bytes, bytes]]:
        headers = [(name.lower(), value) for name, value in sent]
        may_be_kept = bound.get("may_be_kept", False) and bound["status"] == 422
        if may_be_kept:  # the next answer sets a cookie, with which Back would find nothing
            headers = [pair for pair in headers if pair[0] != b"vary"] + [REFUSED]
        present = {name for name, _ in headers}
        headers += [pair for pair in self.defaults.items() if pair[0] not in present]
        headers.append((b"x-request-id", bound["request_id"].encode()))
        if not may_be_kept and b"cookie" not in dict(headers).get(b"vary", b"").lower():
            headers.append((b"vary", b"Cookie"))
        return headers


async def _send_last_resort(send: Any) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 500, "headers": headers})
    await send({"type": "http.response.body", "body": LAST_RESORT, "more_body": False})


def _log(method: str, bound: dict[str, Any], seconds: float) -> None:
    """The route is its pattern, never the path: paths and queries hold people's text."""
    log.info(
        "id=%s method=%s route=%s status=%s ms=%.0f user=%s",
        bound["request_id"],
        "-" if "refused" in bound else method,
        bound.get("route", "-"),
        bound.get("status", "gone"),
        seconds * 1000,
        bound.get("user_id", "-"),
    )
