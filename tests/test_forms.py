"""How fields are written."""

from typing import Any

from markupsafe import Markup
from wtforms.widgets import html_params

from sched_async.forms import html_attributes

WRITTEN: list[dict[str, Any]] = [
    {},
    {"id": "title", "name": "title", "value": "a < b & \"c\" 'd'", "required": True},
    {"class_": "wide", "for_": "x", "checked": True, "hidden": False},
    {"data_next_page": "/a?b=1&c=2", "aria_label": "Who", "aria-invalid": "true"},
    {"maxlength": 255, "value": None, "step": 0.5},
    {"value": Markup("&amp; <b>")},
]


def test_attributes_are_written_as_wtforms_writes_them() -> None:
    for given in WRITTEN:
        assert html_attributes(**given) == html_params(**given), given
