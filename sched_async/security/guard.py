"""Requests that no view should ever see.

``Guard`` looks at the head of each request before Quart does: method, target, query
and Host.  A refused one goes on as a bare GET of ``/`` that carries its refusal, so that
it ends in the same error page as any other error.  ``Request`` reads forms strictly:
what is not UTF-8, or too much, is refused rather than repaired.
"""

import asyncio
import re
from collections import Counter
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

from quart import Quart, request
from quart import Request as QuartRequest
from quart.formparser import FormDataParser
from quart.wrappers.request import Body
from werkzeug.datastructures import FileStorage, MultiDict
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    MethodNotAllowed,
    MisdirectedRequest,
    RequestEntityTooLarge,
    RequestURITooLarge,
    UnsupportedMediaType,
)
from werkzeug.routing import BaseConverter
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from ..config import DEFAULT_PORTS, PublicUrl, is_loopback
from ..request_scope import of_scope, storage

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
MAX_BODY = 256 * 1024  # bytes: of 10,000 characters each can be twelve, as a browser writes it
MAX_FIELDS = 50
MAX_PATH = 2048  # bytes
MAX_QUERY = 8192  # bytes
KEPT_HEADERS = (  # what the error page depends on
    b"accept",
    b"accept-language",
    b"cookie",
    b"sec-fetch-dest",
    b"user-agent",
)
BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
HOST = re.compile(r"(?P<name>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.IGNORECASE)


def init_app(app: Quart) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.config["MAX_FORM_PARTS"] = MAX_FIELDS
    app.config["BODY_TIMEOUT"] = 10
    app.config["RESPONSE_TIMEOUT"] = 30
    app.request_class = Request
    app.url_map.converters["int"] = IdConverter
    app.url_map.merge_slashes = False
    app.asgi_app = Guard(app.asgi_app, app.config["PUBLIC_URL"])  # type: ignore[method-assign]

    @app.before_request
    async def stop_what_was_refused() -> None:
        refused: HTTPException | None = storage().get("refused")
        if refused is not None:
            raise refused
        if request.url_rule is not None:
            storage()["route"] = request.url_rule.rule
        if request.mimetype not in StrictForm.parse_functions and await _has_body():
            raise UnsupportedMediaType


async def _has_body() -> bool:
    """A body without a length comes in chunks: only reading tells whether it is empty."""
    if request.content_length is not None or "Transfer-Encoding" not in request.headers:
        return bool(request.content_length)
    try:
        return bool(await request.get_data())
    except RequestEntityTooLarge:
        return True


class IdConverter(BaseConverter):
    """A row's number: decimal, without leading zeros, and within 64 bits."""

    regex = "[1-9][0-9]{0,17}"
    num_convert = int

    def to_python(self, value: str) -> int:
        return int(value)


class Guard:
    """ASGI middleware that decides on the head of a request alone."""

    def __init__(self, app: Any, public_url: PublicUrl) -> None:
        self.app = app
        self.public_url = public_url

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope = {**scope, "headers": self.plain(scope["headers"])}
        if self.public_url.is_https:  # TLS ends at the proxy, and Host is checked below
            scope["scheme"] = "https" if scope["type"] == "http" else "wss"
        try:
            check_head(scope, self.public_url)
        except HTTPException as refused:
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1008})
                return
            of_scope(scope)["refused"] = refused
            scope = self.harmless(scope)
        await self.app(scope, receive, send)

    def plain(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Host without the port that its scheme has anyway, as browsers write it.

        Quart itself adds a header called Remote-Addr and would believe a sent one.
        """
        own_port = f":{DEFAULT_PORTS[self.public_url.scheme]}".encode()
        return [
            (name, value.removesuffix(own_port) if name.lower() == b"host" else value)
            for name, value in headers
            if name.lower() != b"remote-addr"
        ]

    def harmless(self, scope: Any) -> Any:
        """The same connection, asking for nothing."""
        kept = [pair for pair in scope["headers"] if pair[0].lower() in KEPT_HEADERS]
        kept.append((b"host", self.public_url.netloc.encode()))
        target = {"path": "/", "raw_path": b"/", "query_string": b"", "method": "GET"}
        return {**scope, **target, "headers": kept}


def check_head(scope: Any, public_url: PublicUrl) -> None:
    """Raise the HTTPException that a request deserves for its head."""
    if scope["type"] == "http" and scope["method"] not in METHODS:
        raise MethodNotAllowed(METHODS)
    _check_target(scope.get("raw_path") or b"")
    _check_query(scope["query_string"])
    hosts = [value for name, value in scope["headers"] if name.lower() == b"host"]
    if len(hosts) != 1:
        raise BadRequest
    _check_host(hosts[0].decode("latin1"), public_url)


def _check_target(target: bytes) -> None:
    path = target.partition(b"?")[0]
    if not path.startswith(b"/"):
        raise BadRequest
    if len(path) > MAX_PATH:
        raise RequestURITooLarge
    _decode(path)


def _check_query(query: bytes) -> None:
    if not query:
        return
    if query.count(b"&") >= MAX_FIELDS:
        raise BadRequest
    if len(query) > MAX_QUERY:
        raise RequestURITooLarge
    try:
        pairs = parse_qsl(_decode(query), keep_blank_values=True, errors="strict")
    except ValueError:
        raise BadRequest from None
    if any(count > 1 for count in Counter(name for name, _ in pairs).values()):
        raise BadRequest


def _decode(text: bytes) -> str:
    """Check percent-encoded text; returns it still encoded."""
    if BAD_ESCAPE.search(text):
        raise BadRequest
    try:
        plain = unquote_to_bytes(text).decode("utf-8")
        encoded = text.decode("ascii")
    except UnicodeDecodeError:
        raise BadRequest from None
    if CONTROL.search(plain):
        raise BadRequest
    return encoded


def _check_host(host: str, public_url: PublicUrl) -> None:
    match = HOST.fullmatch(host)
    if match is None:
        raise BadRequest
    if host.lower() == public_url.netloc.lower():
        return
    if not (public_url.is_loopback and is_loopback(match["name"].strip("[]").lower())):
        raise MisdirectedRequest


Parsed = tuple[MultiDict[str, str], MultiDict[str, Any]]


async def parse_urlencoded(
    parser: FormDataParser, body: Body, mimetype: str, length: int | None, options: dict[str, str]
) -> Parsed:
    data = await body
    if data.count(b"&") >= MAX_FIELDS:
        raise RequestEntityTooLarge
    pairs = parse_qsl(data.decode("utf-8"), keep_blank_values=True, errors="strict")
    return MultiDict(pairs), MultiDict()


async def parse_multipart(
    parser: FormDataParser, body: Body, mimetype: str, length: int | None, options: dict[str, str]
) -> Parsed:
    boundary = options.get("boundary", "").encode("ascii")
    if not boundary:
        raise BadRequest
    data, room = await body, getattr(parser, "room", 0)
    if room:  # ten megabytes take a tenth of a second
        return await asyncio.to_thread(_decoded, data, boundary, room, takes_file=True)
    return _decoded(data, boundary, MAX_BODY)


def _decoded(data: bytes, boundary: bytes, room: int, *, takes_file: bool = False) -> Parsed:
    decoder = MultipartDecoder(boundary, room, max_parts=MAX_FIELDS)
    decoder.receive_data(data)
    decoder.receive_data(None)
    return _parts(decoder, takes_file)


class StrictForm(FormDataParser):
    """Forms in UTF-8, of at most MAX_FIELDS fields; without files, but where one is expected."""

    parse_functions: dict[str, Any] = {  # noqa: RUF012 (as the base class has it)
        "application/x-www-form-urlencoded": parse_urlencoded,
        "multipart/form-data": parse_multipart,
    }

    async def parse(
        self,
        body: Body,
        mimetype: str,
        content_length: int | None,
        options: dict[str, str] | None = None,
    ) -> Parsed:
        try:
            return await super().parse(body, mimetype, content_length, options)
        except ValueError:
            raise BadRequest from None


def _parts(decoder: MultipartDecoder, takes_file: bool) -> Parsed:
    """The fields and the file of a whole multipart body; ValueError when it was cut off."""
    fields, files = MultiDict[str, str](), MultiDict[str, Any]()
    content = bytearray()
    part: Field | File | None = None
    event = decoder.next_event()
    while not isinstance(event, Epilogue):
        if isinstance(event, NeedData) or (isinstance(event, File) and (files or not takes_file)):
            raise BadRequest
        if isinstance(event, Field | File):
            if event.name is None:  # whatever werkzeug's annotation says
                raise BadRequest
            part, content = event, bytearray()
        if isinstance(event, Data) and part is not None:
            content += event.data
            if not event.more_data and isinstance(part, File):
                files.add(part.name, FileStorage(BytesIO(content), part.filename, part.name))
            elif not event.more_data:
                fields.add(part.name, content.decode("utf-8"))
        event = decoder.next_event()
    return fields, files


class Request(QuartRequest):
    form_data_parser_class = StrictForm
    takes_files: dict[str, int] = {}  # noqa: RUF012 (all share it)
    """Paths whose forms may have a file, and how large the whole body may be there, in bytes."""

    def __init__(self, method: str, scheme: str, path: str, *given: Any, **more: Any) -> None:
        self.room = self.takes_files.get(path, 0) if method == "POST" else 0
        if self.room:
            more["max_content_length"] = self.room
        super().__init__(method, scheme, path, *given, **more)

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        parser.silent = False
        parser.room = self.room  # type: ignore[attr-defined]
        return parser


def take_file(path: str, size: int) -> None:
    """Let the form at that path have one file of at most so many bytes."""
    Request.takes_files[path] = size + MAX_BODY
