"""The wheel is whole: installed elsewhere, it serves its pages, styles and migrations.

So is the source distribution: all that its own tests read is in it.
"""

import http.client
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .servers import ROOT, WebServer, hypercorn_server

LITTER = ("__pycache__", "*.egg-info", "build", "dist", "instance")
HIDDEN_LITTER = (".git", ".venv*", ".coverage*", ".*_cache")
SDIST = "from hatchling.build import build_sdist; build_sdist('..')"


def run(*command: str | Path, folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh virtual environment that has the wheel."""
    # Built from a copy: a build leaves its litter beside the sources.
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(ROOT, folder / "source", ignore=shutil.ignore_patterns(".*", *LITTER))
    quietly = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    run(sys.executable, *quietly, "wheel", "--no-deps", "-w", folder, source, folder=folder)
    [wheel] = folder.glob("sched_async-*.whl")
    shutil.rmtree(source)
    run(sys.executable, "-m", "venv", folder / "venv", folder=folder)
    python = folder / "venv" / "bin" / "python"
    run(python, *quietly, "install", wheel, folder=folder)
    return python


@pytest.fixture(scope="module")
def server(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    """Hypercorn with none of our files around, and no setting but its own address."""
    empty = tmp_path_factory.mktemp("empty")
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


def test_an_installed_wheel_serves_its_login_page(server: WebServer) -> None:
    status, page = get(server, "/login/")
    assert status == 200
    assert 'name="password"' in page


def test_an_installed_wheel_serves_all_files_that_a_page_names(server: WebServer) -> None:
    _, page = get(server, "/login/")
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert any(".css" in file for file in files)
    for file in files:
        status, content = get(server, file)
        assert (status, bool(content)) == (200, True), file


def test_an_installed_wheel_makes_and_migrates_its_database(server: WebServer) -> None:
    assert get(server, "/health/ready")[0] == 200
    assert server.setup_link() is not None


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_source_distribution_leaves_nothing_out(python: Path, tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns(*LITTER, *HIDDEN_LITTER)
    source = shutil.copytree(ROOT, tmp_path / "source", ignore=ignore)
    run(python, "-m", "pip", "--quiet", "install", "hatchling>=1.26", folder=tmp_path)
    run(python, "-c", SDIST, folder=source)
    [archive] = tmp_path.glob("sched_async-*.tar.gz")
    with tarfile.open(archive) as made:
        names = {name.partition("/")[2] for name in made.getnames()}
    missing = files_in(source) - names
    assert missing == set()
