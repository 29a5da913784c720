"""A small client for the benchmarks: one kept connection, its cookies, and forms."""

import asyncio
import re
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlencode


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: str


@dataclass
class Browser:
    """Speaks HTTP/1.1 to a port of this machine."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def get(self, path: str) -> Answer:
        return await self._ask("GET", path, b"")

    async def post(self, path: str, form: dict[str, str]) -> Answer:
        return await self._ask("POST", path, urlencode(form).encode())

    async def form(self, path: str) -> dict[str, str]:
        """The hidden fields of the first form of a page that has its own fields."""
        page = (await self.get(path)).body.partition("<main")[2]
        fields = re.findall(r'<input[^>]*name="(csrf_token|submission)"[^>]*value="([^"]*)"', page)
        return dict(fields)

    async def sign_in(self, email: str, password: str) -> Answer:
        form = await self.form("/login/")
        return await self.post("/login/", form | {"username": email, "password": password})

    async def _ask(self, method: str, path: str, body: bytes) -> Answer:
        return await self.send(method, path, body, "application/x-www-form-urlencoded")

    async def send(self, method: str, path: str, body: bytes, kind: str) -> Answer:
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        head = [
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Cookie: {cookies}",
            f"Content-Type: {kind}",
            f"Content-Length: {len(body)}",
        ]
        self.writer.write("\r\n".join([*head, "", ""]).encode() + body)
        await self.writer.drain()
        answer = await self._read()
        for name, value in answer.headers:
            if name == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        return answer

    async def _read(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin1").split("\r\n")
        pairs = [line.partition(": ")[::2] for line in head[1:] if line]
        headers = [(name.lower(), value) for name, value in pairs]
        length = int(dict(headers).get("content-length", 0))
        body = (await self.reader.readexactly(length)).decode()
        return Answer(int(head[0].split()[1]), headers, body)
