"""What trusted proxies say of a request, where it can be read.

Some write an address with a port, and anything may stand in the header: what is no
address is ignored, and the peer's is used instead.  Otherwise all who cannot be told
apart would share one limit on tries.
"""

import re
from ipaddress import ip_address
from typing import Any

from hypercorn.middleware import ProxyFixMiddleware

WITH_PORT = re.compile(r"\[(?P<v6>.+)\](?::\d+)?|(?P<v4>[\d.]+):\d+")


class Proxies:
    """ASGI middleware, outermost: it believes the last ``hops`` proxies."""

    def __init__(self, app: Any, hops: int) -> None:
        self.app = app
        self.hops = hops

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        peer = scope.get("client")

        async def checked(scope: Any, receive: Any, send: Any) -> None:
            if scope.get("client") != peer:
                address = read_address(scope["client"][0])
                scope["client"] = peer if address is None else (address, 0)
            await self.app(scope, receive, send)

        await ProxyFixMiddleware(checked, trusted_hops=self.hops)(scope, receive, send)


def read_address(text: str) -> str | None:
    """The address in what a proxy has written, without brackets and port.

    >>> read_address("203.0.113.7:51234"), read_address("[2001:DB8::1]:443")
    ('203.0.113.7', '2001:db8::1')
    >>> read_address("unknown")
    """
    text = text.strip().strip('"')
    found = WITH_PORT.fullmatch(text)
    try:
        address = ip_address((found["v6"] or found["v4"]) if found else text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)
