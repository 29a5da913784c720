"""Two hundred people press Save at the same moment: one process, one SQLite file.

python -m bench.creates
"""

import asyncio
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench.browser import Browser
from bench.figures import percentiles
from tests.servers import ROOT, hypercorn_server

CREATES = 200
ADA = ("ada@example.org", "seven quiet otters in the rain")


def add_ada(folder: Path) -> None:
    run(folder, "db", "upgrade")
    who = (ADA[0], "--name", "Ada", "--timezone", "Europe/Berlin")
    run(folder, "user", "add", *who, "--password-stdin")


def run(folder: Path, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "sched_async", *arguments],
        input=ADA[1],
        text=True,
        check=True,
        cwd=ROOT,
        env={"SCHED_DATA_DIR": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def create(browser: Browser, number: int, form: dict[str, str]) -> tuple[int, float]:
    times = {"start": "2030-05-06T09:00", "end": "2030-05-06T10:00"}
    started = time.perf_counter()
    answer = await browser.post(
        "/appointments/create/", form | times | {"title": f"Number {number}"}
    )
    return answer.status, time.perf_counter() - started


async def measure(port: int) -> list[tuple[int, float]]:
    async with Browser(port) as ada:
        await ada.sign_in(*ADA)
        forms = [await ada.form("/appointments/create/") for _ in range(CREATES)]
        browsers = [Browser(port, dict(ada.cookies)) for _ in range(CREATES)]
        for browser in browsers:
            await browser.__aenter__()
        work = (create(browsers[number], number, forms[number]) for number in range(CREATES))
        return await asyncio.gather(*work)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        add_ada(folder)
        with hypercorn_server({"SCHED_DATA_DIR": name}) as server:
            answers = asyncio.run(measure(server.port))
        with sqlite3.connect(folder / "sched.db") as connection:
            stored = connection.execute("SELECT count(*), count(DISTINCT title) FROM appointment")
            rows = stored.fetchone()
    print("answers by status:", dict(Counter(status for status, _ in answers)))
    print("rows stored:", rows[0], "titles:", rows[1])
    print(percentiles([seconds for _, seconds in answers]))


if __name__ == "__main__":
    main()
