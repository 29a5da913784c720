"""Pages are rendered at once, and what they share is made once."""

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader
from quart import Quart, render_template, url_for

from sched_async.accounts.sessions import public
from sched_async.app import create_app
from sched_async.templating import Addresses, Compiled

ADDRESSES: list[tuple[str, dict[str, Any]]] = [
    ("appointments.index", {}),
    ("appointments.index", {"past": 1}),
    ("appointments.index", {"past": None}),
    ("appointments.index", {"past": True, "after": "1.0.7"}),
    ("appointments.detail", {"appointment_id": 7}),
    ("appointments.detail", {"appointment_id": 2**53}),
    ("appointments.detail", {"appointment_id": 8, "note": "a b&c"}),
    ("appointments.detail", {"appointment_id": 8, "page": 3}),
    ("appointments.detail", {"page": 3, "appointment_id": 8}),
    ("login.login", {"next": "/appointments/{}?x=%7B"}),
    ("static", {"filename": "style.css"}),
    ("static", {"filename": "{none}.css"}),
]


@pytest.fixture
async def app(settings: dict[str, Any]) -> AsyncIterator[Quart]:
    """An app of the test's own, whose templates it may change."""
    app = create_app(settings)
    async with app.test_app():
        yield app


@pytest.mark.parametrize("root", ["", "/calendar"])
async def test_an_address_in_a_page_is_the_one_quart_would_build(app: Quart, root: str) -> None:
    source = "{{ url_for(endpoint, **values) }}"
    app.jinja_env.loader = DictLoader({"link.txt": source})
    async with app.test_request_context("/", root_path=root):
        for endpoint, values in ADDRESSES * 2:
            expected = url_for(endpoint, **values)
            found = await render_template("link.txt", endpoint=endpoint, values=values)
            assert found == expected, endpoint
            assert expected.startswith(f"{root}/"), endpoint


async def test_an_address_is_found_anew_for_each_endpoint_and_each_name(app: Quart) -> None:
    addresses = Addresses(app)
    async with app.test_request_context("/"):
        for number in range(1, 100):
            addresses.url_for("appointments.detail", appointment_id=number)
            addresses.url_for("login.login", next=f"/{number}")
    assert len(addresses.shapes) == 1


async def test_what_pages_are_given_is_made_where_they_are_rendered(app: Quart) -> None:
    seen = []

    @app.context_processor
    def plain() -> dict[str, Any]:
        seen.append(threading.current_thread())
        return {"word": "plain"}

    @app.context_processor
    async def awaited() -> dict[str, Any]:
        return {"other": "awaited"}

    @app.route("/words/")
    @public
    async def words() -> str:
        return await render_template("words.txt", given="given")

    app.jinja_env.loader = DictLoader({"words.txt": "{{ word }} {{ other }} {{ given }}"})
    response = await app.test_client().get("/words/")
    assert await response.get_data(as_text=True) == "plain awaited given"
    assert seen == [threading.main_thread()]


def test_a_template_is_compiled_once_for_all_apps_and_anew_when_it_changes(tmp_path: Path) -> None:
    def render(app: Quart, source: str) -> str:
        app.jinja_env.loader = DictLoader({"once.txt": source})
        app.jinja_env.cache.clear()  # type: ignore[union-attr]
        return app.jinja_env.get_template("once.txt").render(name="Ada")

    first, second = create_app({"DATA_DIR": tmp_path}), create_app({"DATA_DIR": tmp_path})
    before = len(Compiled.codes)
    assert render(first, "Hello {{ name }}") == render(second, "Hello {{ name }}") == "Hello Ada"
    assert len(Compiled.codes) == before + 1
    assert render(second, "Bye {{ name }}") == "Bye Ada"
