"""Served by Hypercorn, through a real socket: who is signed in, and for how long.

The test client is kinder than a browser: it sends Secure cookies over http, and knows no
host names.  Here a browser as plain as can be keeps the rules, and the command line runs
in a process beside the server.
"""

import asyncio
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from .conftest import ALICE_PASSWORD, add_alice
from .servers import ROOT, WebServer, free_port, hypercorn_server

ALICE = "alice@example.org"
NAME = "sched.test"
ENDS: list[list[str]] = [
    [],
    ["sign-out"],
    ["set-password", "--password-stdin"],
    ["deactivate", "--yes"],
]
CONFIGS = {"hypercorn.toml": ROOT / "hypercorn.toml", "no config": None}
COMMANDS = [("sign-out",), ("set-password", "--password-stdin"), ("deactivate", "--yes")]


class Browser:
    """Calls a server by a name, over http, and keeps its cookies."""

    def __init__(self, server: WebServer, host: str = "", cookies: Mapping[str, str] = {}) -> None:
        self.port = server.port
        self.host = host or f"127.0.0.1:{server.port}"
        self.cookies = dict(cookies)

    def send(self, method: str, path: str, **form: str) -> tuple[int, str, str]:
        """Status, Location and text of the answer."""
        headers = {"Host": self.host, "Content-Type": "application/x-www-form-urlencoded"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={text}" for name, text in self.cookies.items())
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
            connection.request(method, path, urlencode(form) if form else None, headers)
            response = connection.getresponse()
            for header in response.headers.get_all("Set-Cookie", []):
                self.keep(SimpleCookie(header))
            return response.status, response.headers["Location"] or "", response.read().decode()

    def keep(self, sent: SimpleCookie) -> None:
        for name, cookie in sent.items():
            assert not cookie["secure"], f"no browser keeps {name} without TLS"
            if cookie["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = cookie.value

    def post(self, path: str, page: str, **form: str) -> tuple[int, str, str]:
        """Send the form of a page."""
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', self.send("GET", page)[2])
        assert found, f"{page} has no form"
        return self.send("POST", path, csrf_token=found[1], **form)

    def log_in(self) -> None:
        form = {"username": ALICE, "password": ALICE_PASSWORD, "remember": "y"}
        assert self.post("/login/", "/login/", **form)[:2] == (303, "/appointments/")
        assert self.is_signed_in()

    def log_out(self) -> None:
        assert self.post("/logout/", "/logout/")[:2] == (303, "/login/")

    def is_signed_in(self) -> bool:
        status, location, page = self.send("GET", "/appointments/")
        if status == 200:
            assert "Alice" in page
            return True
        assert (status, location) == (303, "/login/?next=/appointments/")
        return False


def command(environment: Mapping[str, str], *arguments: str) -> None:
    """``sched-async`` in a process of its own, as an operator runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "sched_async", *arguments],
        env=os.environ | environment,
        input=f"{ALICE_PASSWORD}\n",
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def environment(alices_sqlite: Path, tmp_path: Path) -> dict[str, str]:
    """Of a server where Alice has an account, and of the commands beside it."""
    shutil.copy(alices_sqlite, tmp_path)
    return {"SCHED_DATA_DIR": str(tmp_path)}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_a_copied_cookie_is_worth_nothing_when_the_session_has_ended(
    environment: dict[str, str], config: Path | None
) -> None:
    with hypercorn_server(environment, config=config) as server:
        for end in ENDS if config else ENDS[:1]:  # what a command ends asks no server
            alice = Browser(server)
            alice.log_in()
            copies = [Browser(server, cookies=alice.cookies) for _ in range(2)]
            assert copies[0].is_signed_in()
            assert f"sched_login_{server.port}" in alice.cookies
            if end:
                command(environment, "user", *end, ALICE)
            else:
                alice.log_out()
            for browser in (alice, *copies):
                assert not browser.is_signed_in(), end
                # From just after a sign-out it may be the twin of a double click.
                is_kept = browser is not alice and not end
                assert (f"sched_login_{server.port}" in browser.cookies) == is_kept, end


def test_signing_in_works_by_a_host_name_without_tls(environment: dict[str, str]) -> None:
    port = free_port()
    url = f"http://{NAME}:{port}"
    environment["SCHED_PUBLIC_URL"] = url
    with hypercorn_server(environment, port=port) as server:
        alice = Browser(server, f"{NAME}:{port}")
        alice.log_in()
        alice.log_out()
        assert not alice.is_signed_in()
        assert Browser(server).send("GET", "/login/")[0] == 421


@pytest.mark.databases("postgresql")
def test_who_signs_out_at_one_node_is_signed_out_at_the_other(settings: dict[str, Any]) -> None:
    shared = settings | {"PUBLIC_URL": f"http://{NAME}"}
    environment = {f"SCHED_{name}": str(value) for name, value in shared.items()}
    asyncio.run(add_alice(settings))
    with hypercorn_server(environment) as one, hypercorn_server(environment) as other:
        alice = Browser(one, NAME)
        alice.log_in()
        elsewhere = Browser(other, NAME, alice.cookies)
        assert elsewhere.is_signed_in()
        alice.log_out()
        assert not elsewhere.is_signed_in()


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_sigterm_ends_it_with_0_while_somebody_is_connected(
    tmp_path: Path, config: Path | None
) -> None:
    with (
        hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}, config=config) as server,
        socket.create_connection(("127.0.0.1", server.port)),
    ):
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.output()


def test_whoever_is_signed_in_still_is_after_a_restart(environment: dict[str, str]) -> None:
    with hypercorn_server(environment) as before:
        alice = Browser(before)
        alice.log_in()
    with hypercorn_server(environment, port=before.port) as after:
        assert Browser(after, cookies=alice.cookies).is_signed_in()
