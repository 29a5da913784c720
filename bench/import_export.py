"""Import and export 5,000 appointments: how long, in how much memory, and who waits meanwhile.

python -m bench.import_export [--count 5000] [--only hostile|loop|pages|library]
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from quart import Quart

from bench.browser import Browser
from bench.calendar_files import HOSTILE, MOST, honest
from bench.figures import percentiles
from bench.filling import EMAIL, PASSWORD, ZONE, appointments
from bench.long_series import settled, watched
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.appointments import changes
from sched_async.database import begin
from sched_async.ics import child
from sched_async.ics.derive import derive
from sched_async.ics.ics_text import Facts, new_text
from sched_async.lifespan import working
from sched_async.models import Calendar
from sched_async.testing import signed_in
from sched_async.times import now
from tests.servers import create_database, hypercorn_server, postgresql_server

OTHERS = [f"person{number}@example.org" for number in range(4)]
IDLE_SECONDS = 10
BOUNDARY = "a-line-between-the-parts"
LIBRARY = """
import sys, time
from icalendar import Calendar
data = sys.stdin.buffer.read()
begun = time.perf_counter()
calendar = Calendar.from_ical(data)
read = time.perf_counter()
calendar.to_ical()
print(f"{read - begun:.2f} {time.perf_counter() - read:.2f}")
"""
MEASURE = """
import json, os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
used = os.wait4(pid, 0)[2]
json.dump([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], sys.stderr)
"""
"""A small process in between: a child's memory counts from what its parent had."""


def run(*arguments: str, data: bytes) -> tuple[float, float, float, bytes]:
    """Seconds, seconds of the processor and megabytes of a Python, and what it wrote."""
    command = [sys.executable, "-S", "-E", "-c", MEASURE, sys.executable, *arguments]
    begun = time.perf_counter()
    done = subprocess.run(command, input=data, capture_output=True, check=True)
    seconds = time.perf_counter() - begun
    processor, megabytes = json.loads(done.stderr.splitlines()[-1])
    return seconds, processor, megabytes, done.stdout


def read_alone(data: bytes) -> tuple[str, dict[str, Any]]:
    """Figures of the process that reads, and the last thing that it said."""
    seconds, processor, megabytes, said = run("-P", child.__file__, data=data)
    figures = f"{seconds:.2f} | {processor:.2f} | {megabytes:.0f}"
    return figures, json.loads(said.splitlines()[-1])


def hostile() -> None:
    print("| a file of | s | s of the processor | MB | answer |\n|---|---:|---:|---:|---|")
    for name, make in HOSTILE.items():
        figures, last = read_alone(make()[:MOST])
        print(f"| {name} | {figures} | {last.get('error', 'each by itself')} |", flush=True)


def library(data: bytes) -> None:
    """Beside what the library needs that knows only how to read and write."""
    print("| | s | s of the processor | MB |\n|---|---:|---:|---:|")
    print(f"| read by the process that reads here | {read_alone(data)[0]} |")
    seconds, processor, megabytes, said = run("-c", LIBRARY, data=data)
    read, written = said.decode().split()
    print(f"| icalendar reads and writes it | {seconds:.2f} | {processor:.2f} | {megabytes:.0f} |")
    print(f"| icalendar: from_ical {read} s, to_ical {written} s | | | |")


def upload(data: bytes, fields: dict[str, str]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = 'name="file"; filename="club.ics"\r\nContent-Type: text/calendar'
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {file}\r\n\r\n"
    return "".join([*parts, head]).encode() + data + f"\r\n--{BOUNDARY}--\r\n".encode()


FORM = f"multipart/form-data; boundary={BOUNDARY}"


async def add_people(app: Quart) -> None:
    """Ada, and others who have fifty appointments each."""
    async with working(app, make=True):
        for email in (EMAIL, *OTHERS):
            person = await create_account(name="A", email=email, password=PASSWORD, timezone=ZONE)
            async with begin() as db:
                calendar = (await db.scalars(Calendar.readable_by(person.id))).one()
                async with changes.act(db, person.id, "import") as act:
                    for given in appointments() if email != EMAIL else ():
                        facts = Facts(**given, allday=False, timezone=ZONE)  # type: ignore[arg-type]
                        act.put(calendar.id, derive(new_text(facts, now()), now()))


# Who waits meanwhile


async def look(other: Browser, until: asyncio.Event, seconds: list[float]) -> None:
    """On a new connection, since the server ends one after a thousand requests."""
    async with Browser(other.port, other.cookies) as browser:
        while not until.is_set():
            begun = time.perf_counter()
            answer = await browser.get("/appointments/")
            seconds.append(time.perf_counter() - begun)
            assert answer.status == 200
            await asyncio.sleep(0.01)


async def beside(others: list[Browser], what: str, work: Awaitable[Any]) -> Any:
    """The pages of others while something is done."""
    done, seconds = asyncio.Event(), list[float]()
    looking = [asyncio.create_task(look(other, done, seconds)) for other in others]
    begun = time.perf_counter()
    found = await work
    took = time.perf_counter() - begun
    done.set()
    await asyncio.gather(*looking)
    print(f"{what}: {took:.2f} s; {len(seconds)} pages: {percentiles(seconds)}", flush=True)
    return found


async def pages(port: int, process: int, data: bytes) -> None:
    async with AsyncExitStack() as opened:
        others = [await opened.enter_async_context(Browser(port)) for _ in OTHERS]
        for browser, email in zip(others, OTHERS, strict=True):
            await browser.sign_in(email, PASSWORD)
        await beside(others, "nothing", asyncio.sleep(3))
        await beside(others, "nothing", asyncio.sleep(IDLE_SECONDS))
        for _ in range(2):
            alone = asyncio.to_thread(read_alone, data)
            await beside(others, "the reading process, started by somebody else", alone)
        print(f"memory of the server: {memory(process)}")
        ada = await opened.enter_async_context(Browser(port))
        await ada.sign_in(EMAIL, PASSWORD)
        for file in (honest(10), data):  # the first one makes the templates
            await steps(ada, others, file)
        print(f"memory of the server: {memory(process)}")


async def steps(ada: Browser, others: list[Browser], data: bytes) -> None:
    form = await ada.form("/import/")
    body = upload(data, form | {"calendar": "1"})
    answer = await beside(others, "upload", ada.send("POST", "/import/", body, FORM))
    preview = dict(answer.headers)["location"]
    await beside(others, "preview", ada.get(preview))
    form = await ada.form(preview)
    await beside(others, "import", ada.post(preview, form))
    answer = await beside(others, "export", ada.get("/calendars/1.ics"))
    assert answer.body.count("BEGIN:VEVENT") >= data.count(b"BEGIN:VEVENT")


def memory(process: int) -> str:
    """Now, and the most so far; of the process and of those it started."""
    status = Path(f"/proc/{process}/status").read_text()
    now, most = (int(re.findall(rf"{name}:\s+(\d+)", status)[0]) for name in ("VmRSS", "VmHWM"))
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    own = f"{now / 1024:.0f} MB, at most {most / 1024:.0f}"
    return "; ".join([own, *(memory(int(one)) for one in children)])


# How long the loop is held


async def loop(app: Quart, data: bytes) -> None:
    async with working(app, make=True):
        client = await signed_in(app, EMAIL)
        body = upload(data, {"calendar": "1"})
        headers = {"Content-Type": FORM}
        with watched("upload"):
            sent = client.post("/import/", data=body, headers=headers)
            answer: Any = await settled(sent)
        with watched("preview"):
            await settled(client.get(answer.location))
        with watched("import"):
            await settled(client.post(answer.location, form={}))
        with watched("import again, of which nothing is new"):
            answer = await settled(client.post("/import/", data=body, headers=headers))
            await settled(client.get(answer.location))
        with watched("export"):
            await settled(client.get("/calendars/1.ics"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--only", choices=("hostile", "library", "loop", "pages"))
    options = parser.parse_args()
    data, only = honest(options.count), options.only
    print(f"{options.count} appointments, {len(data) / 1_000_000:.1f} MB")
    if only in (None, "library"):
        library(data)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if only in (None, "pages"):
            asyncio.run(add_people(create_app({"DATA_DIR": folder})))
            with hypercorn_server({"SCHED_DATA_DIR": name}) as server:
                asyncio.run(pages(server.port, server.process.pid, data))
    if only in (None, "loop"):
        hold(data)
    if only in (None, "hostile"):
        hostile()


def hold(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name, postgresql_server() as server:
        urls = [f"sqlite+aiosqlite:///{name}/sched.db"]
        urls.append(asyncio.run(create_database(server, "importing")))
        for url in urls:
            print(url.partition("+")[0])
            app = create_app({"DATA_DIR": Path(name), "DATABASE_URL": url})
            asyncio.run(add_people(app))
            asyncio.run(loop(app, data))


if __name__ == "__main__":
    main()
