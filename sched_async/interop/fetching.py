"""Reads a calendar file from an address that somebody has typed, within limits.

Such an address may lead anywhere, also into the network that this server stands in.  So the
address of each connection is looked at when its socket is made: after the name was resolved, and
again for each redirect.
"""

import socket
from asyncio import timeout, to_thread
from dataclasses import dataclass
from importlib import import_module
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from ..errors import RefusedError
from .import_ics import MOST_BYTES, TOO_LARGE

SECONDS = 20
MOST_REDIRECTS = 5
MOST_ADDRESS = 2000  # characters
CHUNK = 64 * 1024
CONDITIONS, STAMPS = {"If-None-Match", "If-Modified-Since"}, ("ETag", "Last-Modified")
ACCEPT = {"Accept": "text/calendar, */*;q=0.5", "Accept-Encoding": "identity"}
NO_ADDRESS = "Enter the address of a calendar, such as https://example.org/holidays.ics."
WITH_PASSWORD = "Leave out the user name and password. Only public calendars can be followed."  # noqa: S105
PRIVATE = "This address is on a private network, which this server doesn't read from."
NOT_FOUND = "There is no server with this name."
UNREACHABLE = "Its server can't be reached."
NOT_SECURE = "Its server's certificate isn't valid."
TOO_SLOW = "Its server is taking too long to answer."
MANY_REDIRECTS = "Its server keeps redirecting to another address."
ANSWERED = "Its server answered with an error ({})."
ENCODED = "Its server sent a file that can't be read."


UNICAST = ip_network("2000::/3")
"""All of IPv6 that has been given to anybody (RFC 4291): none of the forms that hold IPv4."""
NOT_OF_ALL = (ip_network("192.0.0.0/24"), ip_network("168.63.129.16"))
"""For protocols, and where some clouds keep what only their machines may read."""


class PrivateError(OSError):
    """The address of a connection that may not be made."""


@dataclass(frozen=True)
class Fetched:
    """``data`` is None for whoever has that version already."""

    data: bytes | None
    etag: str = ""
    last_modified: str = ""


def canonical_address(text: str) -> str:
    """As it is kept, with ``webcal`` as ``https``; RefusedError for what is no such address."""
    address = text.strip()
    scheme, separator, rest = address.partition("://")
    if scheme.lower() in ("webcal", "webcals"):
        address = f"https://{rest}"
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RefusedError(NO_ADDRESS) from None
    is_plain = address.isprintable() and " " not in address and len(address) <= MOST_ADDRESS
    if not (separator and host and is_plain and parts.scheme in ("http", "https")):
        raise RefusedError(NO_ADDRESS)
    if parts.username or parts.password:
        raise RefusedError(WITH_PASSWORD)
    return address


async def fetch(
    address: str, etag: str = "", last_modified: str = "", *, allows_private: bool = False
) -> Fetched:
    """What lies there; RefusedError with a sentence for whoever follows it.

    aiohttp is imported when it is first needed, beside the event loop: it takes a sixth of a start,
    and most servers follow nothing.
    """
    aiohttp = await to_thread(import_module, "aiohttp")

    def checked(info: Any) -> socket.socket:
        family, kind, protocol, _, where = info
        if not (allows_private or is_public(where[0])):
            raise PrivateError(PRIVATE)
        return socket.socket(family, kind, protocol)

    asked = {"If-None-Match": etag, "If-Modified-Since": "" if etag else last_modified}
    headers = ACCEPT | {name: value for name, value in asked.items() if value}
    try:
        async with (
            timeout(SECONDS),
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(socket_factory=checked),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(total=SECONDS),
            ) as client,
            client.get(address, headers=headers, max_redirects=MOST_REDIRECTS) as response,
        ):
            return await _taken(response)
    except PrivateError:
        raise RefusedError(PRIVATE) from None
    except TimeoutError:
        raise RefusedError(TOO_SLOW) from None
    except aiohttp.TooManyRedirects:
        raise RefusedError(MANY_REDIRECTS) from None
    except aiohttp.InvalidURL:
        raise RefusedError(NO_ADDRESS) from None
    except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError):
        raise RefusedError(NOT_SECURE) from None
    except aiohttp.ClientConnectorDNSError:
        raise RefusedError(NOT_FOUND) from None
    except aiohttp.ClientConnectorError as error:
        is_private = isinstance(error.os_error, PrivateError)
        raise RefusedError(PRIVATE if is_private else UNREACHABLE) from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise RefusedError(UNREACHABLE) from None


async def _taken(response: Any) -> Fetched:
    if response.status == 304 and response.request_info.headers.keys() & CONDITIONS:
        return Fetched(None)
    if response.status != 200:
        raise RefusedError(ANSWERED.format(response.status))
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RefusedError(ENCODED)
    data = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK):
        data += chunk
        if len(data) > MOST_BYTES:
            raise RefusedError(TOO_LARGE)
    return Fetched(bytes(data), *(_stamp(response.headers.get(name, "")) for name in STAMPS))


def _stamp(value: str) -> str:
    """What can be sent back as it came."""
    return value if value.isascii() and value.isprintable() and len(value) <= 1000 else ""


def is_public(host: str) -> bool:
    """Whether an IP address is one of the whole Internet, and of one server there.

    IPv6 can hold an address of IPv4, which then counts.

    >>> [is_public(one) for one in ("93.184.216.34", "2606:2800:220:1::1", "127.0.0.1")]
    [True, True, False]
    >>> [is_public(one) for one in ("::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1")]
    [False, False, False]
    >>> [is_public(one) for one in ("fec0::1", "::7f00:1", "192.0.0.192", "168.63.129.16")]
    [False, False, False, False]
    """
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if address.teredo or address not in UNICAST:
            return False
    elif any(address in net for net in NOT_OF_ALL):
        return False
    return address.is_global and not address.is_multicast
