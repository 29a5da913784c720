"""A person at a browser, who looks at every page with a critical eye."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import ConsoleMessage, Page, Request

# The header is right on every answer; without TLS, Chromium cannot heed it and says so.
COOP_WITHOUT_TLS = "The Cross-Origin-Opener-Policy header has been ignored"
# Said of every answer of 400 and more, also of the page itself.
STATUS_MESSAGE = re.compile(r"Failed to load resource: .* status of (\d+)")


class Visitor:
    """Drives one page and collects what went wrong on it."""

    def __init__(
        self, page: Page, base_url: str, *, has_script: bool = True, photos: Path | None = None
    ) -> None:
        self.page = page
        self.base_url = base_url
        self.has_script = has_script  # without it axe waits for ever
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

    async def visit(self, path: str) -> None:
        await self.page.goto(path if "://" in path else self.base_url + path)
        await self.look(path)

    async def look(self, name: str = "") -> None:
        """Everything that must hold on whatever page is shown now."""
        name = name or self.path
        assert not self.errors, f"{name}: {self.errors}"
        await self._fits(name)
        if self.has_script:
            report = await Axe().run(self.page)
            assert report.violations_count == 0, f"{name}: {report.generate_report()}"
        if self.photos is not None:
            self.photographed += 1
            slug = re.sub(r"[^a-z0-9]+", "-", self.path.lower()).strip("-")
            slug = re.sub(r"^setup-.*", "setup", slug)
            photo = self.photos / f"{self.photographed:02}-{slug}.png"
            await self.page.screenshot(path=photo, full_page=True)

    async def _fits(self, name: str) -> None:
        wide = await self.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert wide[0] <= wide[1], f"{name} is {wide[0]} pixels wide in a window of {wide[1]}"

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
