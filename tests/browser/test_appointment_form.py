"""What script adds to the form of an appointment."""

import pytest

from ..conftest import ALICE_PASSWORD
from ..servers import WebServer
from .conftest import OpenWindow

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_ticking_all_day_asks_for_dates_only(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.page.check("[name=allday]")
        await visitor.look()
        assert await visitor.page.get_attribute("[name=start]", "type") == "date"
        await visitor.page.uncheck("[name=allday]")
        await visitor.look()
        assert await visitor.page.get_attribute("[name=end]", "type") == "datetime-local"


async def test_times_come_back_when_all_day_is_unticked(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    typed = {"start": "2030-11-25T14:15", "end": "2030-11-25T15:45"}
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.fill(**typed)
        await visitor.page.check("[name=allday]")
        await visitor.page.uncheck("[name=allday]")
        for name, time in typed.items():
            assert await visitor.page.input_value(f"[name={name}]") == time


async def test_the_end_moves_along_with_the_start(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.fill(start="2030-11-25T09:30")
        await visitor.page.press("[name=start]", "Tab")
        assert await visitor.page.input_value("[name=end]") == "2030-11-25T10:30"


async def test_the_last_day_moves_along_with_the_first(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.page.check("[name=allday]")
        await visitor.fill(start="2030-11-25")
        await visitor.page.press("[name=start]", "Tab")
        await visitor.fill(end="2030-11-27", start="2030-12-31")
        await visitor.page.press("[name=start]", "Tab")
        assert await visitor.page.input_value("[name=end]") == "2031-01-02"


async def test_the_length_survives_a_year_of_six_digits_and_a_half_typed_one(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.fill(start="2030-11-25T09:30", end="2030-11-25T11:30")
        for typed in ("202710-12-25T09:30", "0020-12-25T09:30", "2027-12-25T09:30"):
            await visitor.page.evaluate(
                """typed => {
                    const { start } = document.querySelector("[data-appointment]").elements;
                    start.value = typed;
                    start.dispatchEvent(new Event("change"));
                }""",
                typed,
            )
        assert await visitor.page.input_value("[name=end]") == "2027-12-25T11:30"


async def test_a_day_from_midnight_to_midnight_is_one_whole_day(
    alices_server: WebServer, open_window: OpenWindow
) -> None:
    async with open_window(alices_server.url) as visitor:
        await visitor.visit("/login/?next=/appointments/create/")
        await visitor.sign_in("alice@example.org", ALICE_PASSWORD)
        await visitor.fill(start="2030-11-25T00:00", end="2030-11-26T00:00")
        await visitor.page.check("[name=allday]")
        assert await visitor.page.input_value("[name=end]") == "2030-11-25"
        await visitor.page.uncheck("[name=allday]")
        assert await visitor.page.input_value("[name=end]") == "2030-11-26T00:00"
