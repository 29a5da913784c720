"""Which address counts behind a proxy: what can be read of what it says, or its own."""

from typing import Any

import pytest
from quart import Quart

from sched_async.accounts.clients import origin
from sched_async.accounts.sessions import public
from sched_async.app import create_app

from ..tables import each

only_sqlite = pytest.mark.databases("sqlite")
PEER = "192.0.2.1"


def seeing(settings: dict[str, Any], hops: str) -> Quart:
    app = create_app(settings | {"TRUSTED_PROXIES": hops})

    @app.route("/seen/")
    @public
    async def seen() -> dict[str, str]:
        return origin()

    return app


@only_sqlite
@each(
    ("hops", "said", "address"),
    [
        ("1", "203.0.113.7", "203.0.113.7"),
        ("1", "203.0.113.7:51234", "203.0.113.7"),
        ("1", " 198.51.100.1:1, 203.0.113.7:51234 ", "203.0.113.7"),
        ("2", "203.0.113.7:51234, 198.51.100.1:80", "203.0.113.7"),
        ("1", "2001:DB8::7", "2001:db8::7"),
        ("1", "[2001:db8::7]", "2001:db8::7"),
        ("1", "[2001:db8::7]:51234", "2001:db8::7"),
        ("1", '"[2001:db8::7]:51234"', "2001:db8::7"),
        ("1", "::ffff:203.0.113.7", "203.0.113.7"),
        ("1", "unknown", PEER),
        ("1", "203.0.113.7, unknown", PEER),
        ("1", "203.0.113.7, ", PEER),
        ("1", "", PEER),
        ("1", "203.0.113.777:51234", PEER),
        ("1", "_hidden:1", PEER),
        ("1", "\xff", PEER),
        ("2", "203.0.113.7", PEER),
        ("0", "203.0.113.7", PEER),
    ],
)
async def test_an_address_is_read_with_its_port_or_is_the_connections(
    settings: dict[str, Any], hops: str, said: str, address: str
) -> None:
    app = seeing(settings, hops)
    async with app.test_app():
        scope = {"client": (PEER, 40000)}
        headers = {"X-Forwarded-For": said}
        response = await app.test_client().get("/seen/", headers=headers, scope_base=scope)
        assert (await response.get_json())["address"] == address


@only_sqlite
async def test_without_the_header_it_is_the_connections(settings: dict[str, Any]) -> None:
    app = seeing(settings, "1")
    async with app.test_app():
        response = await app.test_client().get("/seen/", scope_base={"client": (PEER, 40000)})
        assert (await response.get_json())["address"] == PEER
