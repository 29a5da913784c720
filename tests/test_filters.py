"""The filters as templates use them; their own examples are in ``filters.py``."""

from datetime import date, datetime

import pytest
from jinja2 import Environment
from quart import Quart, render_template_string

from sched_async.app import create_app
from sched_async.filters import do_nl2br

from .conftest import SECRET_KEY


@pytest.fixture
def quart() -> Quart:
    """An app that is not served: filters need no database."""
    return create_app({"SECRET_KEY": SECRET_KEY})


async def render(quart: Quart, template: str, **given: object) -> str:
    async with quart.test_request_context("/"):
        return await render_template_string(template, **given)


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{{ value|date }}", date(2026, 11, 24), "2026-11-24 - Tuesday"),
        ("{{ value|date }}", datetime(2026, 11, 24, 9, 30), "2026-11-24 - Tuesday"),
        ("{{ value|date('%d.%m.') }}", date(2026, 11, 24), "24.11."),
        ("{{ value|date }}", None, ""),
        ("{{ value|datetime }}", datetime(2026, 11, 24, 0, 5), "2026-11-24 - Tuesday at 12:05am"),
        ("{{ value|datetime }}", datetime(2026, 11, 24, 12), "2026-11-24 - Tuesday at 12:00pm"),
        ("{{ value|datetime }}", datetime(2026, 11, 24, 11, 59), "2026-11-24 - Tuesday at 11:59am"),
        ("{{ value|datetime }}", datetime(2026, 11, 24, 23), "2026-11-24 - Tuesday at 11:00pm"),
        ("{{ value|datetime('%H:%M') }}", datetime(2026, 11, 24, 21, 5), "21:05"),
        ("{{ value|datetime }}", None, ""),
        ("{{ value|duration }}", 1, "1 second"),
        ("{{ value|duration }}", 61, "1 minute, 1 second"),
        ("{{ value|duration }}", 172_800, "2 days"),
        ("{{ value|duration }}", 3600.9, "1 hour"),
        ("{{ value|duration }}", 0.5, "0 seconds"),
    ],
)
async def test_templates_have_the_filters_of_the_original(
    quart: Quart, template: str, value: object, expected: str
) -> None:
    assert await render(quart, template, value=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("one\ntwo", "one<br>\ntwo"),
        ("one\r\n\r\ntwo", "one<br>\n<br>\ntwo"),
        ("<script>\nalert(1)", "&lt;script&gt;<br>\nalert(1)"),
        ("a & b", "a &amp; b"),
        ("", ""),
    ],
)
async def test_line_breaks_show_and_markup_does_not(
    quart: Quart, value: str, expected: str
) -> None:
    assert await render(quart, "{{ value|nl2br }}", value=value) == expected


async def test_what_is_marked_safe_is_not_escaped_again(quart: Quart) -> None:
    page = await render(quart, "{{ value|escape|nl2br }}", value="a < b\nc")
    assert page == "a &lt; b<br>\nc"


def test_without_autoescape_the_text_is_escaped_all_the_same() -> None:
    environment = Environment(autoescape=False)  # the point of this test
    environment.filters["nl2br"] = do_nl2br
    page = environment.from_string("{{ value|nl2br }}").render(value="<b>\nc")
    assert page == "&lt;b&gt;<br>\nc"
