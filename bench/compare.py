"""This application and an ordinary Flask one, side by side: how fast, how large, how soon.

Each server has one core and ``wrk`` the other.  They take turns, round by round, so that
whatever else the machine does meets both; the table shows medians, and it is the ratios
that can be compared between machines.  Needs two cores, ``wrk``, and the extra ``bench``.

python -m bench.compare [--rounds 5] [--seconds 3]
"""

import argparse
import asyncio
import os
import platform
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from importlib.metadata import version
from pathlib import Path
from statistics import median

from bench import filling
from bench.browser import Browser
from tests.servers import ROOT, free_port

SERVER_CORE, CLIENT_CORE = 0, 1
PATIENCE = 30  # seconds until a server must have started
PAGES = {
    "list": "/appointments/",
    "detail": f"/appointments/{filling.SHOWN}/",
    "form": f"/appointments/{filling.SHOWN}/edit/",
}
# Only ours has it, with the same fifty: its figure is compared with that of our list.
MONTH = f"/calendar/month/{filling.first_day():%Y-%m}/"
LIST_RATE, MONTH_RATE = (f"{page}: requests/s, 16 connections" for page in ("list", "month"))
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
START, MEMORY = "start to first answer, ms", "memory, MB"
# What the ratio of ours to the reference's should be, or our own figure.
GOALS = {
    "requests/s, 16 connections": "≥ 1.0",
    "p99 ms, 16 connections": "",
    "requests/s, 64 connections": "≥ 1.0",
    "p99 ms, 64 connections": "≤ 0.8",
    "latency ms, 1 connection": "≤ 1.0",
}
SHOWN_VERSIONS = {
    "this application": ("Quart", "Hypercorn", "SQLAlchemy", "aiosqlite", "Jinja2"),
    "the reference": ("Flask", "gunicorn", "Flask-Login", "Flask-SQLAlchemy", "Flask-WTF"),
}
OURS = "this application"
Figures = dict[str, float]


@dataclass
class Contender:
    """How one of the two is started and asked."""

    name: str
    command: list[str]
    environment: dict[str, str]
    alive: str

    @contextmanager
    def served(self) -> Iterator[tuple[int, int, float]]:
        """Its process and port, and how many milliseconds it took until the first answer."""
        port = free_port()
        env = {"PATH": os.environ["PATH"], "SCHED_PUBLIC_URL": f"http://127.0.0.1:{port}"}
        command = [sys.executable, "-m", *self.command, "--bind", f"127.0.0.1:{port}"]
        started = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=env | self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                while not _answers(port, self.alive):
                    assert process.poll() is None, "it has ended at once"
                    assert time.perf_counter() < started + PATIENCE, "it does not answer"
                    time.sleep(0.005)
                yield process.pid, port, (time.perf_counter() - started) * 1000
            finally:
                process.terminate()


def _answers(port: int, path: str) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False


def measure(contender: Contender, seconds: float) -> Figures:
    with contender.served() as (process, port, start):
        cookies = asyncio.run(_sign_in(port))
        figures = {START: start}
        for page, path in PAGES.items():
            url = f"http://127.0.0.1:{port}{path}"
            for connections in (16, 64):
                used = _processor_time(process)
                shown = wrk(url, cookies, connections, seconds)
                used = _processor_time(process) - used
                figures[f"{page}: requests/s, {connections} connections"] = shown["Requests/sec"]
                figures[f"{page}: p99 ms, {connections} connections"] = shown["99%"]
                if connections == 16:
                    figures[f"{page}: processor ms a request"] = used / shown["requests"]
            single = wrk(url, cookies, 1, seconds / 2)
            figures[f"{page}: latency ms, 1 connection"] = single["50%"]
        figures[MEMORY] = _memory(process)
        if contender.name == OURS:
            shown = wrk(f"http://127.0.0.1:{port}{MONTH}", cookies, 16, seconds)
            figures[MONTH_RATE] = shown["Requests/sec"]
    return figures


async def _sign_in(port: int) -> str:
    async with Browser(port) as browser:
        answer = await browser.sign_in(filling.EMAIL, filling.PASSWORD)
        assert answer.status == 303, answer.status
        for page, path in PAGES.items():
            answer = await browser.get(path)
            assert answer.status == 200, (page, answer.status)
            assert filling.TITLE in answer.body, page
            print(f"{page}: {len(answer.body)} characters", file=sys.stderr)
        return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


def wrk(url: str, cookies: str, connections: int, seconds: float) -> Figures:
    """Requests a second, and the milliseconds by percentile."""
    how = ["-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--latency"]
    command = ["taskset", "-c", str(CLIENT_CORE), "wrk", *how, "-H", f"Cookie: {cookies}", url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(output)
    times = re.findall(r"^ +(\d+%) +([\d.]+)(us|ms|s)$", output, re.MULTILINE)
    rate = re.search(r"Requests/sec: +([\d.]+)", output)
    count = re.search(r"^ +(\d+) requests in", output, re.MULTILINE)
    assert rate is not None, output
    assert count is not None, output
    shown = {percentile: float(number) * UNITS[unit] for percentile, number, unit in times}
    return shown | {"Requests/sec": float(rate[1]), "requests": int(count[1])}


def _processor_time(process: int) -> float:
    """How many milliseconds a process and its children have worked so far."""
    numbers = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    ticks = int(numbers[11]) + int(numbers[12])  # as a user and in the kernel
    own = ticks * 1000 / os.sysconf("SC_CLK_TCK")
    return own + sum(_processor_time(child) for child in _children(process))


def _children(process: int) -> list[int]:
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def _memory(process: int) -> float:
    """What a process and its children hold, in MB; pages that they share count for each."""
    status = Path(f"/proc/{process}/status").read_text()
    kilobytes = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    own = int(kilobytes[1]) / 1024 if kilobytes else 0.0
    return own + sum(_memory(child) for child in _children(process))


def table(rounds: dict[str, list[Figures]]) -> Iterator[str]:
    ours, reference = [medians(figures) for figures in rounds.values()]
    yield "| | reference | this application | ratio | goal |"
    yield "|---|---:|---:|---:|---|"
    month, its_list = ours.pop(MONTH_RATE), ours[LIST_RATE]
    for name in ours:
        goal = GOALS.get(name.partition(": ")[2], {START: "≤ 1500", MEMORY: "≤ 100"}.get(name, ""))
        ratio = ours[name] / reference[name]
        yield f"| {name} | {reference[name]:.1f} | {ours[name]:.1f} | {ratio:.2f} | {goal} |"
    ratio = month / its_list
    yield f"| {MONTH_RATE}, beside the list | {its_list:.1f} | {month:.1f} | {ratio:.2f} | ≥ 0.8 |"


def medians(rounds: list[Figures]) -> Figures:
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}."
    for name, packages in SHOWN_VERSIONS.items():
        listed = ", ".join(f"{package} {version(package)}" for package in packages)
        yield f"{name.capitalize()}: {listed}."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="for each figure of a round")
    options = parser.parse_args()
    os.sched_setaffinity(0, {SERVER_CORE})  # the servers inherit it
    with tempfile.TemporaryDirectory() as name:
        ours = asyncio.run(filling.fill(Path(name)))
        reference = filling.fill_reference(Path(name) / "reference.db")
        hypercorn = ["hypercorn", "-c", "hypercorn.toml", "sched_async:app"]
        gunicorn = ["gunicorn", "--threads", "8", "bench.reference:create_app()"]
        contenders = [
            Contender(OURS, hypercorn, ours, "/health/live"),
            Contender("reference", gunicorn, reference, "/login/"),
        ]
        rounds = defaultdict[str, list[Figures]](list)
        for number in range(options.rounds):
            for contender in contenders:
                print(f"round {number + 1}, {contender.name}", file=sys.stderr)
                rounds[contender.name].append(measure(contender, options.seconds))
    print("\n".join([*table(rounds), "", *versions()]))


if __name__ == "__main__":
    main()
