"""What a page shows is what the database has, it follows while somebody looks, and it is used by keyboard alone."""

import asyncpg
import pytest

from tests.integration.gateway.pages.page_scene import Look, PageScene
from tests.unit.world import JOB
from tests.waiting import until
from windmill.core.messages import encode

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]


async def shown_row(look: Look, service: str) -> list[str]:
    """Waiting, failed and parked of a service, as the overview has them."""
    cells = await look.page.locator(f"#s-{service} td").all_inner_texts()
    return [cells[1], cells[5], cells[6]]


async def known_row(pages: PageScene, service: str) -> list[str]:
    rows: asyncpg.Connection = pages.fleet.rows
    failed = await rows.fetchval("SELECT count(*) FROM results WHERE service = $1 AND status = 'error'", service)
    depths = [await pages.fleet.depth(service, suffix) for suffix in ("", ".failed")]
    return [f"{one:,}" for one in (depths[0], failed, depths[1])]


async def test_the_overview_shows_what_database_and_queues_have(pages: PageScene) -> None:
    rows = pages.fleet.rows
    async with pages.look("viewer") as look:
        await look.go("/ui/")
        for service in ("clip", "face", "ocr", "yolov8"):
            assert await shown_row(look, service) == await known_row(pages, service), service
        images, done, failed = [
            await rows.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("images", "results WHERE status = 'success'", "results WHERE status = 'error'")
        ]
        figures = await look.text("#figs")
        for number in (images, done, failed):
            assert f"{number:,}" in figures
        assert await look.text("#s-yolov8 .st") == "away"
        assert "yolov8 does not answer." in await look.text("#a-service-yolov8")
        assert "Worker k7 is lost." in await look.text("[data-region=alarms]")
        # A number leads to the rows behind it.
        await look.page.click("#s-clip td a[href$='#failures']")
        assert await look.number("#c-SERVICE_TIMEOUT td.n") == int((await known_row(pages, "clip"))[1])
        await until(lambda: look.page.locator("#rates path").count(), what="a sparkline")
        look.must_be_clean()


async def test_a_page_follows_while_somebody_looks_and_keeps_the_focus(pages: PageScene) -> None:
    async with pages.look("viewer") as look:
        await look.go("/ui/")
        await look.page.evaluate("window.same = true")
        await until(lambda: _says(look, "#live", "live"), what="live")
        await look.page.focus("#s-blip th a")
        before = await look.number("#s-blip td.n >> nth=0")
        for _ in range(3):
            await pages.fleet.put("blip", encode(JOB))

        async def grew() -> bool:
            return await look.number("#s-blip td.n >> nth=0") == before + 3

        await until(grew, what="the new number")
        assert await look.page.evaluate("window.same"), "it was loaded again"
        assert await look.page.evaluate("document.activeElement.textContent") == "blip"
        await until(lambda: len(look.fragments) >= 3, what="three looks")
        look.must_be_clean()


async def _says(look: Look, selector: str, words: str) -> bool:
    return await look.text(selector) == words


async def test_a_page_that_nobody_sees_asks_for_nothing_and_one_without_answers_says_so(pages: PageScene) -> None:
    async with pages.look("viewer") as look:
        await look.page.clock.install()
        await look.go("/ui/workers")
        await look.page.evaluate("Object.defineProperty(document, 'hidden', {value: true, configurable: true})")
        asked = len(look.fragments)
        await look.page.clock.run_for(60_000)
        assert len(look.fragments) == asked
        assert (await look.text("#live")).startswith("stale ")
        await look.page.evaluate("Object.defineProperty(document, 'hidden', {value: false, configurable: true})")
        await look.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await until(lambda: _says(look, "#live", "live"), what="live again")
        look.must_be_clean()


async def test_pages_are_used_by_keyboard_alone(pages: PageScene) -> None:
    async with pages.look("admin") as look:
        keyboard = look.page.keyboard
        await look.go("/ui/")
        await keyboard.press("Tab")
        assert await look.page.evaluate("document.activeElement.className") == "skip"
        await keyboard.press("Enter")
        await look.page.wait_for_url("**/ui/#main")
        await keyboard.press("?")
        assert "Overview" in await look.text("#keys")
        await keyboard.press("Escape")
        await keyboard.press("g")
        await keyboard.press("k")
        await look.page.wait_for_url("**/ui/keys")
        await look.page.focus("#all ~ table summary >> nth=0")
        await keyboard.press("Enter")
        assert await look.page.locator("details.pop[open]").count() == 1
        await keyboard.press("Escape")
        assert await look.page.locator("details.pop[open]").count() == 0
        assert await look.page.evaluate("document.activeElement.tagName") == "SUMMARY"
        look.must_be_clean()
