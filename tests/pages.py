"""Reading pages and filling in their forms, as a browser without JavaScript would."""

import re
from html import unescape

from quart import Response
from quart.testing import QuartClient
from quart.typing import TestClientProtocol

# Quart's protocol and its client do not quite agree about types.
Browser = TestClientProtocol | QuartClient


async def text(response: Response) -> str:
    return unescape(await response.get_data(as_text=True))


async def csrf_token(client: Browser, path: str = "/login/") -> str:
    """The token in the first form of a page."""
    response = await client.get(path)
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', await text(response))
    assert found, f"{path} has no form"
    return found[1]


async def log_in(client: Browser, email: str, password: str, **more: str) -> Response:
    """Fill in the login page and send it."""
    token = await csrf_token(client)
    form = {"username": email, "password": password, "csrf_token": token, **more}
    return await client.post("/login/", form=form)


def cookie(client: Browser, name: str = "sched_login") -> str | None:
    """What a browser holds under that name."""
    jar = client.cookie_jar
    assert jar is not None
    return next((item.value for item in jar if item.name == name), None)


async def asks_to_confirm(response: Response, path: str) -> bool:
    """Whether it is the page that asks for the password, or leads there, and from there on."""
    if response.status_code == 303:
        return response.location == f"/confirm/?next={path}"
    page = await text(response)
    return response.status_code == 403 and f'name="next" type="hidden" value="{path}"' in page


async def hidden_fields(page: Response) -> dict[str, str]:
    """The hidden fields of the form in the middle of a page."""
    main = (await page.get_data(as_text=True)).partition("<main")[2]
    found = re.findall(r"<input [^>]*type=\"hidden\"[^>]*>", main)
    pairs = [[re.search(f'{name}="([^"]*)"', tag) for name in ("name", "value")] for tag in found]
    return {unescape(name[1]): unescape(value[1]) for name, value in pairs if name and value}


async def is_signed_in(client: Browser) -> bool:
    return (await client.get("/appointments/")).status_code == 200
