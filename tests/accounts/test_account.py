"""The account area as a whole: its pages and the way through them."""

import re

from quart import Quart

from sched_async.accounts.settings import PAGES
from sched_async.models import User
from sched_async.testing import signed_in

from ..pages import text
from ..tables import each


def side_links(page: str) -> list[tuple[str, bool, str]]:
    """Address, whether it is marked as this page, and name of each link at the side."""
    side = re.search(r'<nav class="side" aria-label="Account">(.*?)</nav>', page, re.DOTALL)
    assert side
    found = re.findall(r'<a href="([^"]+)"( aria-current="page")?[^>]*>([^<]+)</a>', side[1])
    return [(path, bool(mark), name) for path, mark, name in found]


async def test_the_area_begins_with_its_first_page(app: Quart, alice: User) -> None:
    client = await signed_in(app, alice.email)
    answer = await client.get("/account/")
    assert answer.status_code == 303
    page = await text(await client.get(answer.location or ""))
    assert side_links(page)[0][:2] == (answer.location, True)


async def test_the_persons_name_leads_there(app: Quart, alice: User) -> None:
    page = await text(await (await signed_in(app, alice.email)).get("/appointments/"))
    assert '<a class="person" href="/account/profile/"><bdi>Alice</bdi></a>' in page


@each(("endpoint", "name"), PAGES)
async def test_each_page_is_at_the_side_of_all_and_marks_itself(
    app: Quart, alice: User, endpoint: str, name: str
) -> None:
    adapter = app.url_map.bind("localhost")
    client = await signed_in(app, alice.email)
    own = adapter.build(endpoint)
    answer = await client.get(own)
    assert answer.status_code == 200
    expected = [(adapter.build(other), other == endpoint, title) for other, title in PAGES]
    assert side_links(await text(answer)) == expected


async def test_a_page_below_another_marks_that_one(app: Quart, alice: User) -> None:
    client = await signed_in(app, alice.email)
    page = await text(await client.get("/account/two-factor/set-up/"))
    assert re.findall(r'aria-current="(\w+)">([^<]+)<', page) == [
        ("true", "Two-factor authentication")
    ]
