"""What belongs to one request or websocket, and to nothing else.

Quart's ``g`` is shared with an app context that surrounds several requests (a test,
a script), so a user kept there would still be signed in on the next request.  The
ASGI scope is made anew for each.
"""

from typing import Any

from quart import has_request_context, request, websocket

KEY = "sched_async"


def storage() -> dict[str, Any]:
    """The mutable dictionary of the current request or websocket."""
    current = request if has_request_context() else websocket
    scope: Any = current.scope
    return of_scope(scope)


def of_scope(scope: Any) -> dict[str, Any]:
    """The same dictionary, for ASGI code that runs outside Quart."""
    bound: dict[str, Any] = scope.setdefault(KEY, {})
    return bound
