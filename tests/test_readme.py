"""What the documentation says is so: its tables are compared, its commands and code are run."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from jinja2 import ChoiceLoader, DictLoader
from quart import Quart

from sched_async import cli, config
from sched_async.accounts.registration.rules import create_account
from sched_async.app import create_app
from sched_async.testing import Client, signed_in

from .conftest import ALICE_PASSWORD
from .pages import Browser, cookie, text
from .servers import ROOT, hypercorn_server
from .test_cli import COMMANDS

DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/security.md",
    "docs/compared.md",
    "docs/coming-from-flask-login.md",
)
README = (ROOT / "README.md").read_text("utf-8")
ARTICLE = (ROOT / "docs" / "coming-from-flask-login.md").read_text("utf-8")
NEWEST = (
    "INSERT INTO one_time_token (token_hash, purpose, expires_at, data) "
    "VALUES ('newest', 'setup', 0, '{}')"
)
FORM = {"title": "Dentist", "start": "2030-11-25T09:30", "end": "2030-11-25T10:30"}


def section(title: str) -> str:
    """What stands under a heading of the second level."""
    [found] = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", README, re.M | re.S)
    return str(found)


def blocks(language: str, of: str = README) -> list[str]:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```$", of, re.M | re.S)
    assert found, f"no {language} is left"
    return found


def rows(table: str) -> list[list[str]]:
    """The cells of a table, below its heading."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def slugs(document: Path) -> set[str]:
    """The names that headings have in links."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


# The tables


def test_the_settings_are_those_that_exist() -> None:
    assert rows(section("Settings")) == [
        [
            f"`{config.PREFIX}{setting.name}`",
            f"`{setting.default}`" if setting.default else "",
            setting.meaning,
        ]
        for setting in config.SETTINGS
    ]


def test_the_commands_are_those_that_exist() -> None:
    shown = {}
    for cell, meaning, _ in rows(section("Managing accounts")):
        words = cell.strip("`").removeprefix("sched-async ").split()
        path = [word for word in words if word.islower() and not word.startswith("--")]
        shown[" ".join(path)] = meaning
    assert shown == {" ".join(path): command.help for path, command in COMMANDS}


@pytest.mark.parametrize(
    "line",
    sorted(
        set(
            re.findall(
                r"sched-async ((?:user|db|mail|import-sched|export-ics)\b[^\n`]*)", README + ARTICLE
            )
        )
    ),
)
def test_every_command_is_written_as_it_works(line: str) -> None:
    result = CliRunner().invoke(cli.main, [*shlex.split(line), "--help"])
    assert result.exit_code == 0, result.output


def test_the_examples_of_settings_are_good_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [block for block in blocks("ini") if block.startswith(config.PREFIX)]
    for line in "".join(examples).splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value)
    with pytest.raises(config.SettingError, match="SCHED_SECRET_KEY"):
        config.load()  # a key that was not replaced is never used
    monkeypatch.delenv("SCHED_SECRET_KEY")
    assert str(config.load()["PUBLIC_URL"]) == "https://sched.example.org"


# The commands


def test_the_first_start_prints_what_is_shown(tmp_path: Path) -> None:
    [shown] = blocks("text", section("Try it"))
    with hypercorn_server({"SCHED_DATA_DIR": str(tmp_path)}) as server:
        before, after = shown.strip().replace("http://localhost:8000", server.url).split("…")
        assert re.search(rf"{re.escape(before)}[\w-]+{re.escape(after)}\n", server.output())


def test_the_service_runs_what_the_first_command_runs() -> None:
    serve = blocks("sh", section("Try it"))[0].strip().split(" && ")[-1]
    assert serve == ".venv/bin/hypercorn -c hypercorn.toml sched_async:app"
    [unit] = [block for block in blocks("ini") if block.startswith("[Unit]")]
    assert f"ExecStart=/srv/sched_async/{serve}\n" in unit


def test_the_backup_has_what_a_copy_of_the_file_lacks(blank_sqlite: Path, tmp_path: Path) -> None:
    [command] = [block for block in blocks("sh") if "VACUUM" in block]
    program, _, statement = shlex.split(command)
    assert program == "sqlite3"
    served = Path(shutil.copy(blank_sqlite, tmp_path / "served.db"))
    with closing(sqlite3.connect(served, isolation_level=None)) as writer:
        writer.execute(NEWEST)
        copy = shutil.copy(served, tmp_path / "copy.db")
        with closing(sqlite3.connect(served)) as other:
            other.execute(statement.replace("/var/backups", str(tmp_path)))
    assert tokens(tmp_path / "sched_async.db") == ["newest"]
    assert tokens(copy) == []


def tokens(path: Path | str) -> list[str]:
    with closing(sqlite3.connect(path)) as reader:
        return [token for (token,) in reader.execute("SELECT token_hash FROM one_time_token")]


def test_the_script_makes_an_appointment(tmp_path: Path) -> None:
    [script] = blocks("python", section("Scripting"))
    (tmp_path / "script.py").write_text(script, "utf-8")
    run(tmp_path, "-m", "sched_async", "db", "upgrade")
    words = "-m sched_async user add ada@example.org --name Ada --timezone UTC --password-stdin"
    run(tmp_path, *words.split(), stdin=f"{ALICE_PASSWORD}\n")
    assert run(tmp_path, "script.py").endswith("303 /appointments/1/\n")


def run(folder: Path, *arguments: str, stdin: str = "") -> str:
    """Python in a folder that also holds the data; gives what it printed."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=os.environ | {"SCHED_DATA_DIR": str(folder), "PYTHONWARNINGS": "error"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# The steps of the original


@pytest.mark.parametrize("code", blocks("python") + blocks("python", ARTICLE))
def test_all_python_compiles_by_itself(code: str) -> None:
    assert compile(code, "example.py", "exec").co_code


@pytest.fixture
async def hello(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Quart]:
    """The app that the article's blocks make together, where Alice has an account."""
    for name, value in settings.items():
        monkeypatch.setenv(config.PREFIX + name, str(value))
    module: dict[str, Any] = {"__name__": "hello"}
    exec(compile("\n\n".join(blocks("python", ARTICLE)), "hello.py", "exec"), module)
    app: Quart = module["app"]
    page = DictLoader({"hello.html": blocks("jinja", ARTICLE)[0]})
    app.jinja_env.loader = ChoiceLoader([page, *filter(None, [app.jinja_env.loader])])
    async with app.test_app():
        async with app.app_context():
            await create_account(
                name="Alice", email="alice@example.org", password=ALICE_PASSWORD, timezone="UTC"
            )
        yield app


async def enter(app: Quart, password: str = ALICE_PASSWORD) -> tuple[Browser, int]:
    client = Client(app)
    form = {"email": "alice@example.org", "password": password}
    return client, (await client.post("/enter/", form=form)).status_code


async def test_the_session_keeps_the_eggs(hello: Quart) -> None:
    client = Client(hello)
    assert await text(await client.get("/breakfast/")) == "Spam and nothing"
    assert (await client.post("/breakfast/")).status_code == 303
    assert await text(await client.get("/breakfast/")) == "Spam and eggs"


async def test_a_stranger_is_sent_to_the_login_page_with_the_message(hello: Quart) -> None:
    client = Client(hello)
    assert await (await client.get("/who/")).get_json() == {"who": "nobody"}
    assert "Hello stranger" in await text(await client.get("/hello/"))
    refused = await client.get("/secret/")
    assert (refused.status_code, refused.location) == (303, "/login/?next=/secret/")
    assert "Please log in to say hello." in await text(await client.get("/login/"))


async def test_logging_in_needs_the_password(hello: Quart) -> None:
    stranger, refused = await enter(hello, "not hers")
    assert refused == 401
    assert (await stranger.get("/secret/")).status_code == 303
    alice, entered = await enter(hello)
    assert entered == 303
    assert await text(await alice.get("/secret/")) == "For Alice alone"
    who = await (await alice.get("/who/")).get_json()
    assert who == {"who": "1", "active": True}


async def test_logging_out_makes_the_cookie_worthless(hello: Quart) -> None:
    alice, _ = await enter(hello)
    copied = cookie(alice)
    assert copied
    thief = hello.test_client()
    thief.set_cookie("localhost", "sched_login", copied)
    assert (await thief.get("/secret/")).status_code == 200
    assert (await alice.post("/leave/")).status_code == 303
    assert "Come again." in await text(await alice.get("/hello/"))
    assert (await thief.get("/secret/")).status_code == 303


async def test_a_form_needs_its_token_and_flashes(hello: Quart) -> None:
    alice, _ = await enter(hello)
    forged = {"words": "Ni!", "csrf_token": "made.up"}
    stranger = await hello.test_client().post("/say/", form=forged)
    assert stranger.status_code == 403
    assert (await alice.post("/say/", form={"words": "Ni!"})).status_code == 303
    page = await text(await alice.get("/hello/"))
    assert "Alice says Ni!" in page
    assert "Hello Alice" in page


async def test_deactivating_ends_the_other_sessions_too(hello: Quart) -> None:
    other = await signed_in(hello, "alice@example.org")
    alice, _ = await enter(hello)
    assert await text(await alice.post("/enough/")) == "Goodbye"
    for client in (alice, other):
        assert (await client.get("/secret/")).status_code == 303


async def test_a_query_that_starts_at_its_owner_finds_her_rows(hello: Quart) -> None:
    alice = await signed_in(hello, "alice@example.org")
    assert (await alice.post("/appointments/create/", form=FORM)).status_code == 303
    titles = await (await alice.get("/titles/")).get_json()
    assert titles == {"titles": ["Dentist"]}


def test_the_filters_show_what_they_did() -> None:
    _, source = blocks("jinja", ARTICLE)
    start = datetime(2026, 11, 24, 9, 30)
    appointment = SimpleNamespace(start=start, end=start.replace(hour=11), description="a\n<b>")
    shown = create_app().jinja_env.from_string(source).render(appointment=appointment)
    assert shown.splitlines() == [
        "2026-11-24 - Tuesday, 09:30",
        "2026-11-24 - Tuesday at 11:30am, after 1 hour, 30 minutes",
        "a<br>",
        "&lt;b&gt;",
    ]


# All documents


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    here = ROOT / document
    for link in re.findall(r"\]\(([^)]+)\)", here.read_text("utf-8")):
        path, _, heading = link.partition("#")
        if "://" not in link:
            there = here.parent / path if path else here
            assert there.exists(), link
            assert not heading or heading in slugs(there), link


@pytest.mark.parametrize("document", DOCUMENTS)
def test_the_files_it_names_exist(document: str) -> None:
    inside = re.compile(r"`((?:sched_async|templates|tests|docs|\.ci)/[\w./-]*)`")
    for path in inside.findall((ROOT / document).read_text("utf-8")):
        assert (ROOT / path).exists(), path


def test_the_newest_version_is_in_the_changelog() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[(\d\S*)\] - \d{4}-\d\d-\d\d$", changelog, re.M)
    assert versions[0] == project["version"]
