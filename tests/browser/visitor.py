"""A person at a browser, who looks at every page with a critical eye.

A journey is made once.  Wherever it comes by, ``look`` makes the window wide and narrow,
the page light and dark, and checks each.
"""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import ConsoleMessage, Page, Request

# The header is right on every answer; without TLS, Chromium cannot heed it and says so.
COOP_WITHOUT_TLS = "The Cross-Origin-Opener-Policy header has been ignored"
# Said of every answer of 400 and more, also of the page itself.
STATUS_MESSAGE = re.compile(r"Failed to load resource: .* status of (\d+)")


PATIENCE = 30  # seconds for axe, which alone has no limit of its own
HEIGHT = 800
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [(390, "dark"), (1280, "light")]
WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"
VIOLATIONS = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .map(({id, help, nodes}) => [id, help, ...nodes.map(node => node.html)].join("\\n"))"""
PRESSABLE = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")]
    .filter(element => element.checkVisibility({visibilityProperty: true}))
    .map(element => element.name || element.href || element.innerText.trim())"""


@dataclass(frozen=True)
class Window:
    """How a browser is set up."""

    width: int = 1280
    scheme: Literal["light", "dark"] = "light"
    script: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}{'' if self.script else '-no-script'}"


USUAL = Window()


class Visitor:
    """Drives one page and collects what went wrong on it."""

    def __init__(
        self, page: Page, base_url: str, window: Window = USUAL, photos: Path | None = None
    ) -> None:
        self.page = page
        self.base_url = base_url
        self.window = window
        looks = [replace(window, width=width, scheme=scheme) for width, scheme in LOOKS]
        self.looks = [*(look for look in looks if look.width != window.width), window]
        self.photos = photos
        self.photographed = 0
        self.errors: list[str] = []
        self.expected: set[str] = set()
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("requestfailed", self._on_request_failed)

    def _on_console(self, message: ConsoleMessage) -> None:
        status = STATUS_MESSAGE.match(message.text)
        if message.type not in ("error", "warning") or (status and status[1] in self.expected):
            return
        if not message.text.startswith(COOP_WITHOUT_TLS):
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _on_request_failed(self, request: Request) -> None:
        # Going to another page ends what the last one was still reading.
        if request.failure != "net::ERR_ABORTED":
            self.errors.append(f"{request.failure} for {request.url}")

    @contextmanager
    def expecting(self, status: int) -> Iterator[None]:
        """Inside, an answer with this status is what should come."""
        self.expected = {str(status)}
        yield
        self.expected = set()

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base_url)

    async def visit(self, path: str, *, is_alike: bool = True) -> None:
        await self.page.goto(path if "://" in path else self.base_url + path)
        await self.look(path, is_alike=is_alike)

    async def look(self, name: str = "", *, is_alike: bool = True) -> None:
        """Everything that must hold on whatever page is shown now.

        Unless it ``is_alike`` a narrow window may offer other links than a wide one.
        """
        name = name or self.path
        assert not self.errors, f"{name}: {self.errors}"
        self.photographed += 1
        pressable = set()
        for look in self.looks:
            await self._use(look)
            await self._fits(f"{name} ({look})")
            await self._is_accessible(f"{name} ({look})")
            await self._photograph(look)
            pressable.add(tuple(await self.page.evaluate(PRESSABLE)))
        if is_alike:
            assert len(pressable) == 1, f"{name} offers more in some windows: {pressable}"

    async def _use(self, window: Window) -> None:
        await self.page.set_viewport_size({"width": window.width, "height": HEIGHT})
        await self.page.emulate_media(color_scheme=window.scheme)

    async def _fits(self, name: str) -> None:
        width, available = await self.page.evaluate(WIDTHS)
        assert width <= available, f"{name} is {width} pixels wide in a window of {available}"

    async def _is_accessible(self, name: str) -> None:
        if not self.window.script:  # without it axe waits for ever
            return
        if await self.page.evaluate("typeof axe === 'undefined'"):
            await self.page.evaluate(AXE_SCRIPT)
        violations = await asyncio.wait_for(self.page.evaluate(VIOLATIONS), PATIENCE)
        assert not violations, f"{name}: {violations}"

    async def _photograph(self, look: Window) -> None:
        if self.photos is not None:
            slug = re.sub(r"[^a-z0-9]+", "-", self.path.lower()).strip("-")
            slug = re.sub(r"^setup-.*", "setup", slug)
            photo = self.photos / str(look) / f"{self.photographed:02}-{slug}.png"
            await self.page.screenshot(path=photo, full_page=True)

    async def fill(self, **fields: str) -> None:
        for name, text in fields.items():
            await self.page.fill(f"main [name={name}]", text)

    async def send(self) -> None:
        """Press the button of the page's form."""
        await self.press("main form:has([name=csrf_token]) button")

    async def press(self, selector: str) -> None:
        """Press what leads to another page, and wait for that."""
        async with self.page.expect_navigation():
            await self.page.click(selector)

    async def sign_in(self, email: str, password: str) -> None:
        await self.fill(username=email, password=password)
        await self.send()

    async def focus_by_keyboard(self, selector: str) -> None:
        """Press Tab until the element has the focus."""
        element = self.page.locator(selector)
        for _ in range(20):
            if await element.evaluate("element => element === document.activeElement"):
                return
            await self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {selector}")

    async def text(self, selector: str = "main") -> str:
        return await self.page.inner_text(selector)
