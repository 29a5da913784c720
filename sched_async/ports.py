"""The TCP ports that this process has taken, as a server does before it loads its app."""

import socket
from contextlib import suppress
from pathlib import Path


def own_ports() -> list[int]:
    """In order; none where the system does not tell."""
    try:
        descriptors = [int(path.name) for path in Path("/dev/fd").iterdir()]
    except OSError:
        return []
    return sorted({port for number in descriptors if (port := _taken_port(number))})


def _taken_port(descriptor: int) -> int | None:
    try:
        found = socket.socket(fileno=descriptor)
    except OSError:  # a file, say
        return None
    try:
        return _port_to_connect_to(found)
    finally:
        found.detach()  # it is somebody else's to close


def _port_to_connect_to(found: socket.socket) -> int | None:
    if found.family not in (socket.AF_INET, socket.AF_INET6) or found.type != socket.SOCK_STREAM:
        return None
    with suppress(OSError):  # there is nobody at the other end of what waits for whoever comes
        found.getpeername()
        return None
    port: int = found.getsockname()[1]
    return port
