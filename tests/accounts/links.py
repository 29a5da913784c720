"""Following the links that an account's owner is mailed, and counting what is costly."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from html import unescape

import pytest
from argon2 import PasswordHasher
from quart import Quart, Response
from sqlalchemy import select

from sched_async.database import begin
from sched_async.models import OneTimeToken

from ..pages import Browser, csrf_token
from ..security import same_for_all


async def settled(app: Quart) -> None:
    """Wait for what the app does after its answers."""
    await asyncio.gather(*app.background_tasks)


async def fill_in(client: Browser, path: str, **form: str) -> Response:
    """Send the form of a page, as it was shown."""
    return await client.post(path, form={"csrf_token": await csrf_token(client, path), **form})


async def at_once(browsers: list[Browser], path: str, *forms: dict[str, str]) -> list[int]:
    """The page is open in each browser, then all send it; returns the statuses."""
    tokens = [await csrf_token(browser, path) for browser in browsers]
    answers = await asyncio.gather(
        *(
            browser.post(path, form={"csrf_token": token, **form})
            for browser, token, form in zip(browsers, tokens, forms, strict=True)
        )
    )
    return [answer.status_code for answer in answers]


async def visit(client: Browser, path: str, method: str) -> Response:
    return await (client.head(path) if method == "HEAD" else client.get(path))


async def follow(client: Browser, path: str, method: str = "GET") -> str:
    """Open a link; returns where it leads, which does not hold its token."""
    response = await visit(client, path, method)
    assert response.status_code == 303
    assert response.location
    assert path.rstrip("/").rpartition("/")[2] not in response.location
    return response.location


async def looks(response: Response) -> tuple[int, str, list[tuple[str, str]]]:
    """All that can be seen of an answer, without what differs each time."""
    own = ("x-request-id", "content-length", "set-cookie")
    headers = sorted(pair for pair in response.headers.items() if pair[0].lower() not in own)
    return response.status_code, unescape(await same_for_all(response)), headers


def cookies_set(response: Response) -> list[str]:
    return [line.partition("=")[0] for line in response.headers.getlist("Set-Cookie")]


async def age_tokens(app: Quart, by: timedelta) -> None:
    async with app.app_context(), begin() as db:
        for token in await db.scalars(select(OneTimeToken).limit(1000)):
            token.expires_at -= by


@contextmanager
def counted_hashes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is hashed or compared meanwhile, all of which costs the same."""
    done: list[str] = []

    def spy(name: str) -> None:
        work = getattr(PasswordHasher, name)

        def counting(self: PasswordHasher, *values: str) -> object:
            done.append(name)
            return work(self, *values)

        patch.setattr(PasswordHasher, name, counting)

    with monkeypatch.context() as patch:
        spy("hash")
        spy("verify")
        yield done
