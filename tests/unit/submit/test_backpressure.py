"""Back-pressure: how much may be published, and how rarely queue depths are read."""

import asyncio
from collections.abc import Mapping

import pytest

from windmill.submit.backpressure import QueueBackpressure


class Depths:
    """Answers with one depth after another, the last of them for ever; may set a stop when it is asked the nth time."""

    def __init__(self, *deepest: int, stop: asyncio.Event | None = None, stops_at: int = 0) -> None:
        self.asked = 0
        self._deepest = deepest
        self._stop = stop
        self._stops_at = stops_at

    async def __call__(self) -> Mapping[str, int]:
        self.asked += 1
        if self._stop and self.asked == self._stops_at:
            self._stop.set()
        return {"clip": 0, "ocr": self._deepest[min(self.asked, len(self._deepest)) - 1]}


async def test_queue_depths_are_read_again_only_when_the_room_is_used_up() -> None:
    depths, asked = Depths(40), []
    room = QueueBackpressure(depths, 100)
    for _ in range(4):
        await room.wait_for_room(25, asyncio.Event())
        asked.append(depths.asked)
    assert asked == [1, 1, 1, 2]


async def test_a_full_queue_is_waited_for_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    depths = Depths(100, 120, 100, 99)
    with caplog.at_level("INFO"):
        await QueueBackpressure(depths, 100, poll_seconds=0.001).wait_for_room(1, asyncio.Event())
    assert depths.asked == 4
    assert caplog.messages == ["waiting for the queues to drain"]


async def test_a_stop_ends_the_wait_for_full_queues() -> None:
    stop = asyncio.Event()
    depths = Depths(100, stop=stop, stops_at=3)
    await asyncio.wait_for(QueueBackpressure(depths, 100, poll_seconds=0.001).wait_for_room(1, stop), 10)
    assert depths.asked == 3
