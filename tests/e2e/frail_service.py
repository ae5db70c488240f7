"""A service that bears one caller and breaks when two call at once, quick enough for many thousand calls."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.unit.loopback import Site, listening, reply, request_of
from tests.waiting import at_work

WORK_SECONDS = 0.002
"""Long enough for another call to come meanwhile."""
SEES: Mapping[str, Mapping[str, Any]] = {
    "face": {"label": "face", "confidence": 0.9, "bbox": [10, 10, 50, 50], "keypoints": {}, "emoji": "🙂"},
    "pose": {"landmarks": {"nose": {"x": 0.5, "y": 0.2, "z": 0.0, "visibility": 0.9}}, "pose_analysis": {}},
}

Break = Literal["blind", "crash"]


@dataclass
class FrailService:
    """Counts its calls and those that came while it worked on another: of the first such on it is blind, or all calls
    that overlap lose their connection."""

    name: str
    breaks: Break
    calls: int = 0
    overlaps: int = 0
    port: int = 0
    _working_for: set[asyncio.StreamWriter] = field(default_factory=set)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _: Site) -> None:
        """Answer what comes over one connection."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while request := await request_of(reader):
                writer.write(await self._answer(request, writer))

    async def _answer(self, request: bytes, writer: asyncio.StreamWriter) -> bytes:
        self.calls += request.startswith(b"POST ")
        self.overlaps += bool(self._working_for)
        self._working_for.add(writer)
        if len(self._working_for) > 1 and self.breaks == "crash":
            for one in self._working_for:
                one.transport.abort()
        try:
            await at_work(WORK_SECONDS)
        finally:
            self._working_for.discard(writer)
        is_blind = self.overlaps and self.breaks == "blind"
        predictions = [] if is_blind else [SEES[self.name]]
        document = {"service": self.name, "status": "success", "predictions": predictions, "metadata": {}}
        return reply(json.dumps(document).encode())


@asynccontextmanager
async def frail_service(name: str, breaks: Break) -> AsyncIterator[FrailService]:
    """Serve it on a free port."""
    service = FrailService(name, breaks)
    async with listening(service.converse) as site:
        service.port = site.port
        yield service
