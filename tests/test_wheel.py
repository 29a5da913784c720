"""The wheel is whole: installed elsewhere, it serves its pages, styles and migrations.

So is the source distribution: all that its own tests read is in it.
"""

import http.client
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import ROOT, WebServer, hypercorn_server

LITTER = ("__pycache__", "*.egg-info", "build", "dist", "instance")
HIDDEN_LITTER = (".git", ".venv*", ".coverage*", ".*_cache")


def run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def build(target: str, folder: Path) -> Path:
    """What is handed out, made in a folder from a copy of the tree that it leaves beside it."""
    source = folder / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LITTER, *HIDDEN_LITTER))
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder, folder=source)
    [made] = folder.glob("sched_async-*")
    return made


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a fresh virtual environment that has the wheel.

    What the wheel needs is installed for it in CI alone, which takes longer than all else here;
    elsewhere the packages of the tests are lent to it.
    """
    wheel = build("wheel", tmp_path)
    shutil.rmtree(tmp_path / "source")
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", folder=tmp_path)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check")
    install = (*pip, "--quiet", "install", "--no-compile")
    if os.environ.get("CI"):
        run(*install, wheel, folder=tmp_path)
    else:
        run(*install, "--no-deps", wheel, folder=tmp_path)
        [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
        (packages / "others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python


@pytest.fixture
def server(python: Path, tmp_path: Path) -> Iterator[WebServer]:
    """Hypercorn with none of our files around, and no setting but its own address."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with hypercorn_server({}, config=None, folder=empty, python=python) as server:
        yield server


def get(server: WebServer, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_an_installed_wheel_serves_its_pages_and_files_and_makes_its_database(
    server: WebServer,
) -> None:
    status, page = get(server, "/login/")
    assert status == 200
    assert 'name="password"' in page
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert any(".css" in file for file in files)
    for file in files:
        status, content = get(server, file)
        assert (status, bool(content)) == (200, True), file
    assert get(server, "/health/ready")[0] == 200
    assert server.setup_link() is not None


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_source_distribution_leaves_nothing_out(tmp_path: Path) -> None:
    archive = build("sdist", tmp_path)
    with tarfile.open(archive) as made:
        names = {name.partition("/")[2] for name in made.getnames()}
    assert files_in(tmp_path / "source") - names == set()
