"""Our own CSS, script and icon: kept by browsers for a year, and fresh when they change."""

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from quart import Quart

from sched_async.app import PACKAGE
from sched_async.testing import Client

from .pages import Browser, text
from .tables import each

FILES = {
    "style.css": "text/css",
    "calendar.css": "text/css",
    "sched.mjs": "text/javascript",  # or the older application/javascript
    "calendar.mjs": "text/javascript",
    "print.css": "text/css",
    "favicon.svg": "image/svg+xml",
}
EACH = pytest.mark.parametrize("name", FILES)
ONLY_SQLITE = pytest.mark.databases("sqlite")


def content(name: str) -> bytes:
    return (PACKAGE / "static" / name).read_bytes()


def test_these_are_all() -> None:
    assert {path.name for path in Path(PACKAGE / "static").rglob("*")} == set(FILES)


@EACH
async def test_a_page_names_each_by_its_content(client: Browser, hers: Client, name: str) -> None:
    pages = [await client.get("/login/"), await hers.get("/calendar/day/2026-11-24/")]
    page = "".join([await text(one) for one in pages])
    found = re.search(rf'"(/static/{name}\?v=([0-9a-f]+))"', page)
    assert found
    assert hashlib.sha256(content(name)).hexdigest().startswith(found[2])
    assert len(found[2]) == 12
    response = await client.get(found[1])
    assert await response.get_data() == content(name)


@EACH
async def test_each_is_what_it_says_and_may_be_kept_for_a_year(client: Browser, name: str) -> None:
    """Browsers run no script and apply no style that comes as anything else."""
    response = await client.get(f"/static/{name}")
    kind = response.mimetype or ""
    assert kind.replace("application/java", "text/java") == FILES[name]
    assert response.headers["Cache-Control"] == "public, max-age=31536000"
    assert "Set-Cookie" not in response.headers


@EACH
async def test_whoever_has_it_already_is_told_so(client: Browser, name: str) -> None:
    first = await client.get(f"/static/{name}")
    for headers in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ):
        again = await client.get(f"/static/{name}", headers=headers)
        assert again.status_code == 304
        assert await again.get_data() == b""
        assert again.headers["ETag"] == first.headers["ETag"]


async def test_a_file_that_does_not_exist_has_no_version(app: Quart) -> None:
    async with app.test_request_context("/"):
        assert app.url_for("static", filename="none.css") == "/static/none.css"


@ONLY_SQLITE
@EACH
@each("accepted", ["gzip, deflate, br, zstd", "gzip", "*", "br;q=1, gzip;q=0.1"])
async def test_each_comes_compressed_to_whoever_takes_it(
    client: Browser, name: str, accepted: str
) -> None:
    headers = {"Accept-Encoding": accepted}
    response = await client.get(f"/static/{name}", headers=headers)
    body = await response.get_data(as_text=False)
    assert response.headers["Content-Encoding"] == "gzip"
    assert int(response.headers["Content-Length"]) == len(body) < len(content(name))
    assert gzip.decompress(body) == content(name)
    assert {"Accept-Encoding", "Cookie"} <= set(response.headers["Vary"].split(", "))
    known = {"If-None-Match": response.headers["ETag"]}
    again = await client.get(f"/static/{name}", headers=headers | known)
    assert again.status_code == 304
    assert again.headers["ETag"] == response.headers["ETag"]
    head = await client.head(f"/static/{name}", headers=headers)
    assert head.headers["Content-Length"] == str(len(body))


@ONLY_SQLITE
@EACH
@each("accepted", ["", "identity", "br", "gzip;q=0", "*;q=0"])
async def test_each_comes_as_it_is_to_whoever_does_not(
    client: Browser, name: str, accepted: str
) -> None:
    response = await client.get(f"/static/{name}", headers={"Accept-Encoding": accepted})
    assert "Content-Encoding" not in response.headers
    assert await response.get_data() == content(name)
    assert "Accept-Encoding" in response.headers["Vary"]


@ONLY_SQLITE
async def test_a_part_of_a_file_is_not_compressed(client: Browser) -> None:
    headers = {"Accept-Encoding": "gzip", "Range": "bytes=5-9"}
    response = await client.get("/static/style.css", headers=headers)
    assert response.status_code == 206
    assert await response.get_data() == content("style.css")[5:10]


@ONLY_SQLITE
@pytest.mark.parametrize("path", ["/login/", "/static/nothing.css", "/health/live"])
async def test_what_could_hold_a_secret_is_not_compressed(client: Browser, path: str) -> None:
    response = await client.get(path, headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers
