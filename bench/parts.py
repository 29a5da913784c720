"""Where the processor's time goes for one page, without a server around the application.

python -m bench.parts [--count 300]
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from quart import Quart, render_template

from bench import filling
from sched_async.accounts import sessions
from sched_async.accounts.sessions import current_user, new_session
from sched_async.accounts.tokens import hash_token, new_token
from sched_async.app import create_app
from sched_async.appointments.listing import read_page
from sched_async.database import begin
from sched_async.lifespan import working
from sched_async.models import Feed, User

Work = Callable[[], Awaitable[Any]]
ROUNDS = 5


async def processor_time(work: Work, count: int) -> float:
    """Milliseconds of all threads together, for one piece of work: the best of some rounds."""
    await work()
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(count):
            await work()
        rounds.append((time.process_time() - started) / count * 1000)
    return min(rounds)


class Asking:
    """Asks the application for a page, as a server would; keeps the cookies it is given."""

    def __init__(self, app: Quart, cookies: str) -> None:
        self.app = app
        self.path = "/"
        self.cookies = cookies
        self.etag = ""

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(b"host", b"localhost:8000"), (b"cookie", self.cookies.encode())]
            + ([(b"if-none-match", self.etag.encode())] if self.etag else []),
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            "extensions": {},
            "state": {},
        }

    async def ask(self) -> None:
        messages = [{"type": "http.request", "body": b"", "more_body": False}]
        sent: list[Any] = []

        async def receive() -> Any:
            return messages.pop() if messages else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(self.scope(), receive, send)  # type: ignore[arg-type]
        assert sent[0]["status"] == (304 if self.etag else 200), (self.path, sent[0])
        self.headers = dict(sent[0]["headers"])
        if cookie := dict(sent[0]["headers"]).get(b"set-cookie"):
            self.cookies += "; " + cookie.decode().partition(";")[0]


async def sign_in(app: Quart, number: int = 1) -> str:
    """The cookie of a new login session."""
    async with begin() as work:
        user = await work.get_one(User, number)
        token, login = new_session(user, remember=True)
        work.add(login)
    extension = app.extensions["QUART_AUTH"][0]
    return f"{extension.cookie_name}={extension.dump_token(token)}"


async def subscribe() -> str:
    """Where another program reads the first calendar."""
    token = new_token()
    async with begin() as work:
        work.add(Feed(calendar_id=1, is_busy_only=False, token_hash=hash_token(token)))
    return f"/feeds/{token}.ics"


async def measure(folder: Path, count: int) -> None:
    app = create_app({"DATA_DIR": folder, "PUBLIC_URL": "http://localhost:8000"})
    async with working(app):
        cookies = await sign_in(app)
        asking = Asking(app, cookies)
        shown = f"/appointments/{filling.SHOWN}/"
        month = f"/calendar/month/{filling.first_day():%Y-%m}/"
        for page in ("/health/live", "/appointments/", shown, f"{shown}edit/", month):
            asking.path = page
            print(f"{page}: {await processor_time(asking.ask, count):.2f} ms")
        asking.path = await subscribe()
        print(f"subscription, whole: {await processor_time(asking.ask, count):.2f} ms")
        asking.etag = asking.headers[b"etag"].decode()
        print(f"subscription, unchanged: {await processor_time(asking.ask, count):.2f} ms")
        async with app.test_request_context("/appointments/", headers={"Cookie": cookies}):
            print(f"session: {await processor_time(sessions.load_user, count):.2f} ms")
            user = current_user.known()

            async def read() -> Any:
                return await read_page(user.id, user.timezone, past=False, after=None)

            print(f"reading: {await processor_time(read, count):.2f} ms")
            found = await read()

            async def render() -> str:
                facts = {"past": False, "more_url": None, "zone": user.timezone}
                return await render_template("appointments/list.html", days=found.days, **facts)

            print(f"rendering: {await processor_time(render, count):.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        asyncio.run(filling.fill(folder))
        asyncio.run(measure(folder, options.count))


if __name__ == "__main__":
    main()
