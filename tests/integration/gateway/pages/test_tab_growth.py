"""A tab that is left open: what it holds while everything on the page changes all the time."""

import logging
import time
from typing import Any

import asyncpg
import pytest

from tests.integration.gateway.pages.page_scene import PageScene
from tests.waiting import until

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.asyncio(loop_scope="session")]

WARM_SECONDS, SECONDS, TOLD_SECONDS = 20.0, 120.0, 600.0
MOST_BYTES, MOST_NODES = 10_000_000, 1_000
MOST_FRAGMENTS_A_SECOND = 2.0
_CHANGE = """
UPDATE workers SET done = done + 7, failed = failed + 1, rate = random() * 9, in_progress = (random() * 4)::integer,
       heartbeat_at = now() + interval '1 hour'
WHERE service IN ('clip', 'face', 'ocr', 'yolov8', 'cut')
"""
logger = logging.getLogger(__name__)


async def _change(rows: asyncpg.Connection, end: float) -> bool:
    """Each worker of the page does something else; several times a second, where a heartbeat changes it every few."""
    await rows.execute(_CHANGE)
    return time.monotonic() >= end


async def _held(cdp: Any) -> tuple[int, int]:  # noqa: ANN401 - the session of the browser
    """Bytes of the heap and nodes, once what nobody holds is gone."""
    await cdp.send("HeapProfiler.collectGarbage")
    told = {one["name"]: int(one["value"]) for one in (await cdp.send("Performance.getMetrics"))["metrics"]}
    return told["JSHeapUsedSize"], told["Nodes"]


@pytest.mark.slow(reason="more than two minutes in front of a page")
@pytest.mark.timeout(900)
async def test_a_tab_hardly_grows_while_all_of_the_page_changes(pages: PageScene) -> None:
    async with pages.look("viewer") as look:
        cdp = await look.page.context.new_cdp_session(look.page)
        await cdp.send("Performance.enable")
        await look.go("/ui/")
        warm = time.monotonic() + WARM_SECONDS
        await until(lambda: _change(pages.fleet.rows, warm), WARM_SECONDS + 60)
        heap, nodes = await _held(cdp)
        look.fragments.clear()
        begun = time.monotonic()
        await until(lambda: _change(pages.fleet.rows, begun + SECONDS), SECONDS + 60)
        took = time.monotonic() - begun
        later_heap, later_nodes = await _held(cdp)
        grown = (later_heap - heap) * TOLD_SECONDS / took
        told = (len(look.fragments), sum(look.fragments), grown, later_nodes - nodes)
        logger.info("%d fragments of %d bytes; %.0f bytes in ten minutes; %d nodes", *told)
        assert len(look.fragments) >= SECONDS / 20
        assert len(look.fragments) / took <= MOST_FRAGMENTS_A_SECOND
        assert grown < MOST_BYTES
        assert later_nodes - nodes < MOST_NODES
        look.must_be_clean()
