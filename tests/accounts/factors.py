"""What the tests of the second factor do again and again."""

import re
from datetime import UTC, datetime

import pyotp
from quart import Quart, Response
from quart.testing import QuartClient

from sched_async.testing import Client, signed_in

from ..pages import Browser, csrf_token, log_in, text

# The beginning of a step of 30 seconds.
START = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SET_UP = "/account/two-factor/set-up/"
STATE = "/account/two-factor/"
STEP = "/login/second-step/"


class Phone:
    """An authenticator app, with its clock."""

    def __init__(self, secret: str) -> None:
        self.secret = secret

    def code(self, seconds: int = 0) -> str:
        """What it shows, or shows when that many seconds have passed."""
        return pyotp.TOTP(self.secret).at(int(datetime.now(UTC).timestamp()) + seconds)


async def shown_secret(client: Browser) -> str:
    return secret_in(await text(await client.get(SET_UP)))


def secret_in(page: str) -> str:
    found = re.search(r'class="key">([A-Z2-7 ]+)<', page)
    assert found, page
    return found[1].replace(" ", "")


def recovery_codes_in(page: str) -> list[str]:
    return re.findall(r"\b(?:[A-Z2-7]{5}-){4}[A-Z2-7]{5}\b", page)


async def enrol(client: Client) -> tuple[Phone, list[str]]:
    """Set a second factor up as whoever is signed in there; its recovery codes, too."""
    phone = Phone(await shown_secret(client))
    response = await client.post(SET_UP, form={"code": phone.code(), "end_others": "y"})
    assert response.status_code == 200
    return phone, recovery_codes_in(await text(response))


async def enrolled(app: Quart, email: str) -> tuple[Phone, list[str]]:
    return await enrol(await signed_in(app, email))


async def give_password(client: Browser, email: str, password: str, **more: str) -> Response:
    """The first step, which leads to the second."""
    response = await log_in(client, email, password, **more)
    assert (response.status_code, response.location) == (303, STEP)
    return response


async def give_code(client: Browser, code: str, **more: str) -> Response:
    form = {"code": code, "csrf_token": await csrf_token(client, STEP), **more}
    return await client.post(STEP, form=form)


def another_browser(app: Quart) -> QuartClient:
    return QuartClient(app)
