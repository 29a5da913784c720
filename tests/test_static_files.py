"""Our own CSS, script and icon: kept by browsers for a year, and fresh when they change."""

import hashlib
import re
from pathlib import Path

import pytest
from quart import Quart

from sched_async.app import PACKAGE

from .pages import Browser, text

FILES = {
    "style.css": "text/css",
    "sched.mjs": "text/javascript",  # or the older application/javascript
    "favicon.svg": "image/svg+xml",
}
EACH = pytest.mark.parametrize("name", FILES)


def content(name: str) -> bytes:
    return (PACKAGE / "static" / name).read_bytes()


def test_these_are_all() -> None:
    assert {path.name for path in Path(PACKAGE / "static").rglob("*")} == set(FILES)


@EACH
async def test_a_page_names_each_by_its_content(client: Browser, name: str) -> None:
    page = await text(await client.get("/login/"))
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
