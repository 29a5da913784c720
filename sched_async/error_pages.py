"""The one page that every error ends in: a page for people, JSON for fetch and for scripts.

Nobody sees a stack trace; the request's id leads to it in the log.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any, cast

from quart import (
    Quart,
    Response,
    current_app,
    has_request_context,
    has_websocket_context,
    jsonify,
    render_template,
    request,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException, ServiceUnavailable, TooManyRequests
from werkzeug.http import HTTP_STATUS_CODES

from .errors import BusyError, TooManyAttemptsError
from .request_scope import storage

RETRY_AFTER = 5  # seconds
# By PostgreSQL's classes of errors, or SQLite's names, it is the database that cannot.
NOT_NOW = ("08", "28", "3D", "40", "53", "55", "57", "58", "SQLITE_CORRUPT", "SQLITE_NOTADB")
log = logging.getLogger("sched_async")


@dataclass(frozen=True)
class Page:
    title: str
    message: str
    advice: str


PAGES = {
    400: Page(
        "We couldn't understand that request",
        "The address or the data that you sent could not be read.",
        "Check the address, or go back and try again.",
    ),
    401: Page(
        "Please sign in",
        "You need to be signed in to see this.",
        "Sign in and try again.",
    ),
    403: Page(
        "This form is no longer valid",
        "For your security, a form works only in the browser and the session it was made for.",
        "Go back, reload the page and send the form again. You may have to fill it in again.",
    ),
    404: Page(
        "Page not found",
        "This page doesn't exist, or what it showed has been deleted.",
        "Go to your appointments and look for it there.",
    ),
    405: Page(
        "That can't be done here",
        "This address exists, but doesn't support what your browser tried to do.",
        "Go to your appointments and start from there.",
    ),
    408: Page(
        "That took too long",
        "Your browser stopped sending before everything had arrived.",
        "Check your connection and try again.",
    ),
    413: Page(
        "That's too large",
        "What you sent is larger than this form accepts.",
        "Go back, shorten it and send it again.",
    ),
    414: Page(
        "That address is too long",
        "No page here has such a long address.",
        "Go to your appointments and start from there.",
    ),
    415: Page(
        "Unsupported format",
        "This address accepts only form data (application/x-www-form-urlencoded).",
        "Send a form instead.",
    ),
    421: Page(
        "Wrong address",
        "This server is set up for a different address.",
        "Use its usual address. The operator sets it as SCHED_PUBLIC_URL.",
    ),
    422: Page(
        "Something needs correcting",
        "One of the values can't be used.",
        "Go back, correct it and send the form again.",
    ),
    429: Page(
        "Too many attempts",
        "There have been too many attempts in a short time.",
        "Wait a while and try again.",
    ),
    500: Page(
        "Something went wrong",
        "It's not your fault, and nothing was changed.",
        "Try again. If it keeps happening, report the ID below to your administrator.",
    ),
    503: Page(
        "The server is busy",
        "The server is overloaded, or its database isn't responding.",
        "Wait a few seconds and try again.",
    ),
}


# A database that cannot be reached says so in one of these; a DBAPIError may mean other things.
UNAVAILABLE = (PoolTimeoutError, ConnectionError, TimeoutError)
UNREACHABLE = (*UNAVAILABLE, DBAPIError)


def init_app(app: Quart) -> None:
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(TooManyAttemptsError, too_many_attempts)
    for error in (BusyError, *UNAVAILABLE):
        app.register_error_handler(error, unavailable)
    app.register_error_handler(DBAPIError, database_error)
    app.log_exception = log_failure  # type: ignore[assignment, method-assign]


def log_failure(*given: Any) -> None:
    """Quart's own line lacks the request's id, and has its path, which may be a secret.

    What failed comes last; since Quart 0.23 its context comes before.
    """
    bound = storage() if has_request_context() or has_websocket_context() else {}
    log.error("id=%s failed", bound.get("request_id", "-"), exc_info=given[-1])


async def http_error(error: HTTPException, advice: str = "", *, as_json: bool = False) -> Response:
    """The page, or the JSON, for any HTTP status; an error may bring a ``page`` of its own."""
    code = error.code or 500
    if error.response is not None or code < 400:
        return cast(Response, error.get_response())
    page: Page = getattr(error, "page", None) or _page(code)
    if advice:
        page = replace(page, advice=advice)
    response = await (_as_json if as_json or wants_json() else _as_page)(code, page)
    response.status_code = code
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


async def too_many_attempts(error: TooManyAttemptsError) -> Response:
    response = await http_error(TooManyRequests(), error.advice)
    response.headers.update(error.headers)
    return response


async def unavailable(error: Exception) -> Response:
    log.warning("id=%s unavailable: %s", storage().get("request_id", "-"), _reason(error))
    return await http_error(ServiceUnavailable(retry_after=RETRY_AFTER))


async def database_error(error: DBAPIError) -> Response:
    """A database that is locked, full or gone is a 503; anything else is our mistake."""
    reason = _reason(error)
    passing = isinstance(error, OperationalError | InterfaceError) and reason != "SQLITE_ERROR"
    if passing or error.connection_invalidated or reason.startswith(NOT_NOW):
        return await unavailable(error)
    raise error


def _reason(error: Exception) -> str:
    """What a database calls its trouble; its sentence may quote values, this does not."""
    cause = getattr(error, "orig", None)
    names = (getattr(cause, name, None) for name in ("sqlstate", "sqlite_errorname"))
    return next((str(name) for name in names if name), type(error).__name__)


def wants_json() -> bool:
    """Whether a script is asking: fetch in a page, or a client that accepts JSON."""
    if has_websocket_context() or request.method == "DELETE" or request.is_json:
        return True
    if request.headers.get("Sec-Fetch-Dest") == "empty":
        return True
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == (
        "application/json"
    )


async def _as_json(code: int, page: Page) -> Response:
    body = {"status": HTTP_STATUS_CODES.get(code, "Error")}
    if code != 404:  # the original's answer to DELETE is this and no more
        own = page.advice if page.advice != _page(code).advice else ""
        body["message"] = f"{page.message} {own}".strip()
    return jsonify(body)


async def _as_page(code: int, page: Page) -> Response:
    look = current_app.extensions["look_who_asks"]
    shown = await render_template(
        "errors/error.html",
        code=code,
        page=page,
        is_nobody=not await look(is_database_away=code == ServiceUnavailable.code),
        request_id=storage().get("request_id", ""),
    )
    return cast(Response, await current_app.make_response(shown))


def _page(code: int) -> Page:
    return PAGES.get(code, PAGES[500 if code >= 500 else 400])
